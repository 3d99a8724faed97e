import { type IncomingMessage, type ServerResponse } from 'node:http';
import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { type ProblemWriter } from './problem-writer';

/** Turns every error of a guard or a handler into a problem. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly writer: ProblemWriter) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.writer.write(error, http.getRequest<IncomingMessage>(), http.getResponse<ServerResponse>());
  }
}
