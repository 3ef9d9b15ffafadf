import { kesClients } from '../../../config/kes/kes-clients';
import { allowedPaths, kesConfigurationProblems } from '../../../config/kes/kes-configuration';
import { parseEnvironment } from '../../../config/load';
import type { RetiredKeys } from '../../../config/kes/kes-clients';
import { KES_CONFIGURATION } from '../../helpers/servers/kes';

const ENVIRONMENT = parseEnvironment(
  `
name: prod
minio: { defaultKey: a, keys: [b] }
kes: { clients: [{ name: warehouse, keys: [w] }] }
`,
  'test.yaml',
);

const paths = (name: string, retired: RetiredKeys = {}) => {
  const client = kesClients(ENVIRONMENT, retired).find((candidate) => candidate.name === name);
  if (client === undefined) throw new Error(`no client ${name}`);
  return allowedPaths(client);
};

describe('who may do what with the master keys', () => {
  test('MinIO uses its keys, and can make none: it would silently replace one that is missing', () => {
    expect(paths('minio')).toEqual([
      '/v1/key/generate/a',
      '/v1/key/generate/b',
      '/v1/key/decrypt/a',
      '/v1/key/decrypt/b',
      '/v1/key/describe/a',
      '/v1/key/describe/b',
    ]);
  });

  test('another client uses keys of its own, and none of MinIO’s', () => {
    expect(paths('client-warehouse')).toEqual(['/v1/key/generate/w', '/v1/key/decrypt/w', '/v1/key/describe/w']);
  });

  test('the creator makes keys and cannot use them', () => {
    expect(paths('key-creator')).toEqual(['/v1/key/create/a', '/v1/key/create/b', '/v1/key/create/w']);
  });

  test('the prover uses every key, to open canaries, and sees whether KES reaches its key store', () => {
    expect(new Set(paths('key-prover'))).toEqual(
      new Set([...paths('minio'), ...paths('client-warehouse'), '/v1/status', '/v1/ready']),
    );
  });

  test('the health check asks for the status and nothing else', () => {
    expect(paths('health')).toEqual(['/v1/status']);
  });

  test('a key that is no longer declared stays readable for who used it, and takes nothing new', () => {
    const retired = { minio: ['old'], 'client-warehouse': ['old-w'], 'client-gone': ['old-g'] };
    const more = (name: string): string[] => paths(name, retired).filter((allowed) => !paths(name).includes(allowed));

    expect(more('minio')).toEqual(['/v1/key/decrypt/old', '/v1/key/describe/old']);
    expect(more('client-warehouse')).toEqual(['/v1/key/decrypt/old-w', '/v1/key/describe/old-w']);
    expect(more('key-creator')).toEqual([]);
    expect(more('key-prover').filter((allowed) => allowed.includes('decrypt'))).toEqual([
      '/v1/key/decrypt/old',
      '/v1/key/decrypt/old-w',
      '/v1/key/decrypt/old-g',
    ]);
  });

  test('a key under which nothing is any more can be proven, and MinIO may not use it', () => {
    const clients = kesClients(ENVIRONMENT, { minio: ['old'], nobody: ['empty'] });
    const allowed = Object.fromEntries(clients.map((client) => [client.name, allowedPaths(client)]));
    expect(allowed.minio).toContain('/v1/key/decrypt/old');
    expect(allowed.minio?.filter((path) => path.endsWith('/empty'))).toEqual([]);
    expect(allowed['key-prover']).toContain('/v1/key/decrypt/empty');
  });

  test('nobody may delete, import, list or name a key that is not declared', () => {
    const all = kesClients(ENVIRONMENT, {}).flatMap((client) => allowedPaths(client));
    for (const allowed of all)
      expect(allowed).toMatch(/^\/v1\/(key\/(create|generate|decrypt|describe)\/[abw]|status|ready)$/);
  });

  test('KES accepts them', () => {
    const configuration = { ...KES_CONFIGURATION, clients: kesClients(ENVIRONMENT, { minio: ['old'] }) };
    expect(kesConfigurationProblems(configuration)).toEqual([]);
  });
});
