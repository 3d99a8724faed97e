import { type Dispatcher } from 'undici';
import { type Contract, loadContract } from '#platform/edge';
import { type HttpAnswer, type MtlsClient, type RequestOptions, workTree } from '#dev/testing';
import { join } from 'node:path';

let contract: Contract | undefined;

/** openapi/kernel.yaml, compiled. */
export function kernelContract(): Contract {
  contract ??= loadContract(join(workTree(), 'openapi', 'kernel.yaml'));
  return contract;
}

/** A client that checks every answer against openapi/kernel.yaml: status, headers, content type and body. */
export class ContractClient {
  constructor(private readonly client: Pick<MtlsClient, 'request'>) {}

  get(path: string, options: RequestOptions = {}): Promise<HttpAnswer> {
    return this.request('GET', path, options);
  }

  post(path: string, json: unknown, options: RequestOptions = {}): Promise<HttpAnswer> {
    return this.request('POST', path, { json, ...options });
  }

  async request(
    method: Dispatcher.HttpMethod,
    path: string,
    options: RequestOptions = {},
  ): Promise<HttpAnswer> {
    const answer = await this.client.request(method, path, options);
    const match = kernelContract().match(method, path.split('?', 1)[0] ?? path);
    if (match === undefined || !('operation' in match))
      throw new Error(`${method} ${path} is not in the document`);
    kernelContract().assertAnswer(match.operation.id, {
      status: answer.status,
      headers: answer.headers,
      body: answer.text,
    });
    return answer;
  }
}
