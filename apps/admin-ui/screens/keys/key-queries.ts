import { queryOptions } from '@tanstack/react-query';
import { type components } from '#openapi/kernel';
import { answered, answeredText, api } from '../../api/client';
import { whileAttended } from '../../api/attention';

const EVERY_MS = 15_000;

/** Every key of the registry, in the order of registration; the file has the name, shards and first pool of the kernel besides. */
export const keysQuery = queryOptions({
  queryKey: ['keys', 'all'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/keys/signers.json', { signal })),
  refetchInterval: whileAttended(EVERY_MS),
});

/** What could replace the keys in force; asks the signing backend. */
export const candidatesQuery = queryOptions({
  queryKey: ['keys', 'candidates'],
  queryFn: ({ signal }) => answered(api.GET('/kernel/keys/candidates', { signal })),
});

/** A public file, byte for byte. */
export function keyFileQuery(name: 'signers.json' | 'jwks.json') {
  return queryOptions({
    queryKey: ['keys', 'file', name],
    queryFn: ({ signal }) => answeredText(`/kernel/keys/${name}`, signal),
  });
}

export type KeyCandidates = components['schemas']['KeyCandidates'];
