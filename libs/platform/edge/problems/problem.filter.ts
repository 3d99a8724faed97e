import { type IncomingMessage, type ServerResponse } from 'node:http';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { type ProblemWriter } from './problem-writer';

/** Whatever a guard or a handler throws becomes a problem. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly writer: ProblemWriter) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.writer.write(error, http.getRequest<IncomingMessage>(), http.getResponse<ServerResponse>());
  }
}
