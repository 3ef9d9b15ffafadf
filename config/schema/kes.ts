/** Settings of KES. */
import { z } from 'zod';
import { kesName } from '../names';
import { address, duration, named, port } from './values';

const kesClient = z.strictObject({
  name: named(kesName).describe(
    'Its certificate is tls/client-<name>.crt in the state folder; its key is in secrets/.',
  ),
  keys: z
    .array(named(kesName))
    .min(1)
    .describe('Master keys that it alone may use: to make, open and describe, never to create or delete.'),
});

export const kes = z.strictObject({
  port: port.default(7373).describe('Published port of KES, for the post-deploy checks and the key operations.'),
  publishAddress: address
    .default('127.0.0.1')
    .describe('Address of the Docker host on which it is published. Clients of `kes.clients` need it, MinIO does not.'),
  cache: z
    .strictObject({
      any: duration.default('5m').describe('A master key leaves the cache after this time.'),
      unused: duration.default('30s').describe('… or after this time without use.'),
      offline: duration.default('0s').describe('… or after this time while Vault cannot be reached; 0s: as above.'),
    })
    .prefault({}),
  clients: z
    .array(kesClient)
    .default([])
    .describe('Programs other than MinIO that encrypt with KES, each under master keys of its own.'),
  memoryMb: z.int().min(32).default(256),
});
