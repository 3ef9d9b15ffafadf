import { kesClients } from '../../config/kes-clients';
import { allowedPaths, kesConfigurationProblems } from '../../config/kes-configuration';
import { KES_CONFIGURATION } from '../helpers/kes';

const paths = (name: string, retired: readonly string[] = []) => {
  const client = kesClients(['a', 'b'], retired).find((candidate) => candidate.name === name);
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

  test('the creator makes keys and cannot use them', () => {
    expect(paths('key-creator')).toEqual(['/v1/key/create/a', '/v1/key/create/b']);
  });

  test('the prover uses keys, to open canaries, and sees whether KES reaches Vault', () => {
    expect(paths('key-prover')).toEqual([...paths('minio'), '/v1/status', '/v1/ready']);
  });

  test('the health check asks for the status and nothing else', () => {
    expect(paths('health')).toEqual(['/v1/status']);
  });

  test('a key that is no longer declared stays readable, and takes nothing new', () => {
    for (const client of ['minio', 'key-prover']) {
      expect(paths(client, ['old']).filter((allowed) => allowed.endsWith('/old'))).toEqual([
        '/v1/key/decrypt/old',
        '/v1/key/describe/old',
      ]);
    }
    expect(paths('key-creator', ['old'])).toEqual(paths('key-creator'));
  });

  test('nobody may delete, import, list or name a key that is not declared', () => {
    const all = kesClients(['a', 'b'], []).flatMap((client) => allowedPaths(client));
    for (const allowed of all)
      expect(allowed).toMatch(/^\/v1\/(key\/(create|generate|decrypt|describe)\/[ab]|status|ready)$/);
  });

  test('KES accepts them', () => {
    const configuration = { ...KES_CONFIGURATION, clients: kesClients(['a'], ['old']) };
    expect(kesConfigurationProblems(configuration)).toEqual([]);
  });
});
