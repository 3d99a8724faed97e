import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { ChangeModeHandler } from './change-mode.handler';
import { ModeController } from './http/mode.controller';

/** Who may write now, and who says so. Needs EventStore, ModeStore, ModeWatch and ModeRecorder from `imports`. */
@Module({})
export class ModesModule {
  static register({ imports }: Required<Pick<ModuleMetadata, 'imports'>>): DynamicModule {
    return {
      module: ModesModule,
      imports: [CqrsModule, ...imports],
      controllers: [ModeController],
      providers: [ChangeModeHandler],
    };
  }
}
