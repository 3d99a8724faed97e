import { type DynamicModule, Module } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { RowKey } from '#platform/event-store';
import { type Logger } from '#platform/process';
import { PeopleSite } from './http/people-site';
import { SessionsController } from './http/sessions.controller';
import { IdentityProvider } from './oidc/identity-provider';
import { PeopleMetrics } from './people.metrics';
import { PeopleOptions } from './people.options';
import { ApproverNames } from './people.ports';
import { EndSessionHandler } from './sessions/end-session.handler';
import { ListSessionsHandler } from './sessions/list-sessions.handler';
import { LogoutTokens } from './sessions/logout-tokens';
import { OpenSession } from './sessions/open-session';
import { People } from './sessions/people';
import { SessionRecords } from './sessions/session-records';
import { SessionRefresh } from './sessions/session-refresh';
import { SessionSweep } from './sessions/session-sweep';
import { SessionTable } from './sessions/session-table';

export interface PeopleModuleOptions {
  /** Undefined where there is no listener for people; sessions of other kernel processes can still be seen and ended. */
  readonly options: PeopleOptions | undefined;
  readonly logger: Logger;
}

/** Where no one signs in, no rule gives a role. */
const NO_SIGN_IN = { mapping: { rules: [], union: false } } as unknown as PeopleOptions;

/**
 * People and their sessions. Needs EventStore, Database, RowKey, IntegrityAlarm, Registry and the ports of people.ports.ts
 * from global modules.
 */
@Module({})
export class PeopleModule {
  static register({ options, logger }: PeopleModuleOptions): DynamicModule {
    return {
      module: PeopleModule,
      imports: [CqrsModule],
      controllers: [SessionsController],
      providers: [
        { provide: PeopleOptions, useValue: options ?? NO_SIGN_IN },
        PeopleMetrics,
        SessionTable,
        SessionRecords,
        LogoutTokens,
        ListSessionsHandler,
        EndSessionHandler,
        {
          provide: SessionSweep,
          useFactory: (sessions: SessionTable, logoutTokens: LogoutTokens, records: SessionRecords) =>
            new SessionSweep(sessions, logoutTokens, records, logger),
          inject: [SessionTable, LogoutTokens, SessionRecords],
        },
        ...(options === undefined ? [] : signInProviders(logger)),
      ],
    };
  }
}

function signInProviders(logger: Logger) {
  return [
    OpenSession,
    {
      provide: IdentityProvider,
      useFactory: (options: PeopleOptions, metrics: PeopleMetrics) =>
        new IdentityProvider(options, metrics, logger),
      inject: [PeopleOptions, PeopleMetrics],
    },
    {
      provide: SessionRefresh,
      useFactory: (
        options: PeopleOptions,
        sessions: SessionTable,
        provider: IdentityProvider,
        records: SessionRecords,
      ) => new SessionRefresh(options, sessions, provider, records, logger),
      inject: [PeopleOptions, SessionTable, IdentityProvider, SessionRecords],
    },
    {
      provide: People,
      useFactory: (
        rowKey: RowKey,
        options: PeopleOptions,
        sessions: SessionTable,
        refresh: SessionRefresh,
        provider: IdentityProvider,
      ) => new People(rowKey, options, sessions, refresh, provider),
      inject: [RowKey, PeopleOptions, SessionTable, SessionRefresh, IdentityProvider],
    },
    {
      provide: PeopleSite,
      useFactory: (
        options: PeopleOptions,
        provider: IdentityProvider,
        sessions: SessionTable,
        records: SessionRecords,
        opening: OpenSession,
        logoutTokens: LogoutTokens,
        people: People,
        approvers: ApproverNames,
        metrics: PeopleMetrics,
      ) =>
        new PeopleSite(
          options,
          provider,
          sessions,
          records,
          opening,
          logoutTokens,
          people,
          approvers,
          metrics,
          logger,
        ),
      inject: [
        PeopleOptions,
        IdentityProvider,
        SessionTable,
        SessionRecords,
        OpenSession,
        LogoutTokens,
        People,
        ApproverNames,
        PeopleMetrics,
      ],
    },
  ];
}
