import { environmentSchema } from '../../../config/environment-schema';
import { masterKeys } from '../../../config/keys/master-keys';

describe('masterKeys', () => {
  const environment = (...keys: string[]) =>
    environmentSchema.parse({
      name: 'x',
      minio: { defaultKey: 'default' },
      buckets: [
        { name: 'plain' },
        ...keys.map((key, index) => ({ name: `bucket-${index}`, encryption: { type: 'sse-kms', key } })),
      ],
    });

  test('is the default key alone when no bucket has its own', () => {
    expect(masterKeys(environment())).toEqual(['default']);
  });

  test('is the default key first, then the keys of the buckets, each once', () => {
    expect(masterKeys(environment('b', 'a', 'b', 'default'))).toEqual(['default', 'b', 'a']);
  });
});
