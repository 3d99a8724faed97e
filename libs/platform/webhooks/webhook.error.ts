import { CodedError } from '#evidence';

/**
 * - `bad_secret`: the file of an endpoint's secret holds none
 * - `bad_endpoint`: an endpoint cannot be used as it is described
 * - `overtaken`: another process has taken the position up
 */
export type WebhookErrorCode = 'bad_secret' | 'bad_endpoint' | 'overtaken';

export class WebhookError extends CodedError<WebhookErrorCode> {}
