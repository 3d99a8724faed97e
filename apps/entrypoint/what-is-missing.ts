import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** The validator that the OpenAPI document is compiled by (libs/platform/edge). */
const VALIDATOR = 'node_modules/ajv/package.json';

/**
 * Whether a kernel could check requests at all. The kernel says so too, but only after it has asked the signing proxy.
 * @param root folder of the programs and their packages
 * @returns null, or a sentence
 */
export function whatIsMissing(root: string, openapiPath: string): string | null {
  if (!isReadable(openapiPath)) {
    return `there is no OpenAPI document at ${JSON.stringify(openapiPath)} (OPENAPI_PATH), and no request is served unchecked; mount the one of this release there, or leave OPENAPI_PATH as the image has it.`;
  }
  if (!isReadable(join(root, VALIDATOR))) {
    return `the validator of requests is not in this image (${VALIDATOR}), and none is served unchecked; take an image that was built by scripts/build-image.sh.`;
  }
  return null;
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
