import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { contextOf } from './request-context';

/** What the app is allowed to do now. */
export interface WriteGate {
  /** In the header Kernel-Mode of every answer. */
  mode(): string;
  /** Throws, with an error that the problem map knows, when nothing may be written now. */
  assertWritable(): void;
}

/**
 * The one place where writes are refused by the mode: every operation that the document does not exempt (`x-writes`),
 * also one that somebody adds later. Runs after the PolicyGuard: who may not write is told that, whatever the mode.
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
