import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { contextOf } from './request-context';

/** Current permission of the app to write. */
export interface WriteGate {
  /** Value of the header Kernel-Mode of every answer. */
  mode(): string;
  /** Throws, with an error that the problem map knows, when nothing may be written now. */
  assertWritable(): void;
}

/**
 * The one place where the mode refuses writes: every operation that the document does not exempt (`x-writes`),
 * including later ones. Runs after the PolicyGuard: a caller who may not write is told so in any mode.
 */
export class ModeGuard implements CanActivate {
  constructor(private readonly gate: () => WriteGate | undefined) {}

  canActivate(execution: ExecutionContext): true {
    return this.admit(execution.switchToHttp().getRequest<object>());
  }

  admit(request: object): true {
    const context = contextOf(request);
    if (context?.operation?.writes === true) this.gate()?.assertWritable();
    return true;
  }
}
