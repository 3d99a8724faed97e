import { applyDecorators, Catch, type RpcExceptionFilter, UseFilters } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';

export const AUDIT_EVENTS = 'audit-events';
export const AUDIT_POSITION = 'audit-events/position';

/** Nest's own filter replaces what it does not know with "Internal server error": the caller has to see what was thrown. */
@Catch()
class PassOnFailure implements RpcExceptionFilter {
  catch(exception: unknown): Observable<never> {
    return throwError(() => exception);
  }
}

/** Marks the controller's method that is `ShardHandler.apply`; it gets one {@link AuditEventsBatch}. */
export function ApplyAuditEvents(): MethodDecorator {
  return applyDecorators(MessagePattern(AUDIT_EVENTS), UseFilters(new PassOnFailure()));
}

/** Marks the controller's method that is `ShardHandler.position`; it gets one {@link AuditShard}. */
export function StoredAuditPosition(): MethodDecorator {
  return applyDecorators(MessagePattern(AUDIT_POSITION), UseFilters(new PassOnFailure()));
}
