import { type CanActivate, type ExecutionContext, Inject, Injectable, UseGuards } from '@nestjs/common';
import { PositionReached } from './position-reached';

/** Header that has a read wait until a position is there. */
export const MIN_POSITION = 'kernel-min-position';

/** Method decorator: the route reads the event store, once that has the position in Kernel-Min-Position. */
export const ReadsStore = () => UseGuards(StoreGuard);

/** Method decorator: the route reads the index, once that has the position in Kernel-Min-Position. */
export const ReadsIndex = () => UseGuards(IndexGuard);

type Headers = { [MIN_POSITION]?: string };

@Injectable()
class StoreGuard implements CanActivate {
  constructor(@Inject(PositionReached) protected readonly position: PositionReached) {}

  async canActivate(execution: ExecutionContext): Promise<true> {
    await this.reached(execution.switchToHttp().getRequest<{ headers: Headers }>().headers[MIN_POSITION]);
    return true;
  }

  protected reached(wanted: string | undefined): Promise<void> {
    return this.position.committed(wanted);
  }
}

@Injectable()
class IndexGuard extends StoreGuard {
  protected override reached(wanted: string | undefined): Promise<void> {
    return this.position.indexed(wanted);
  }
}
