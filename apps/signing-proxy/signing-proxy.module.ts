import { type DynamicModule, Module } from '@nestjs/common';
import { guardBackends } from './guard-backends';
import { KeyMaking } from './keys/key-making';
import { KeysController } from './keys/keys.controller';
import { MarksController } from './marks/marks.controller';
import { BackendsHealth } from './public/backends-health';
import { PublicController } from './public/public.controller';
import { BatchSigner } from './sign/batch-signer';
import { SignController } from './sign/sign.controller';
import { SigningMetrics, signingMetricsProviders } from './signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from './signing-proxy.options';

@Module({})
export class SigningProxyModule {
  static forRoot(options: SigningProxyOptions): DynamicModule {
    return {
      module: SigningProxyModule,
      controllers: [SignController, KeysController, PublicController, MarksController],
      providers: [
        {
          provide: SIGNING_PROXY_OPTIONS,
          useFactory: (metrics: SigningMetrics): SigningProxyOptions => ({
            ...options,
            backends: guardBackends(options, metrics),
          }),
          inject: [SigningMetrics],
        },
        KeyMaking,
        BatchSigner,
        BackendsHealth,
        ...signingMetricsProviders,
      ],
    };
  }
}
