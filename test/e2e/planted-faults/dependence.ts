import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { EARLIER_OBJECTS_BUCKET } from '../../../config/deployment-names';
import { readEarlierObjects } from '../../../operations/minio/objects/earlier-objects';
import type { PlantedFault } from './planted-fault';
import { inVault } from '../../helpers/servers/vault';

export const dependenceFaults: readonly PlantedFault[] = [
  {
    name: 'an object that an earlier deploy left is gone',
    red: {
      'earlier-objects-open': {
        message: /^sse-s3\/backup-default\/1024-[0-9a-f]{16}, written on \S+, is gone: NoSuchKey$/,
        fix: /restore data and master keys from the same backup/,
      },
    },
    plant: async (bench) => {
      const s3 = bench.s3();
      const [first] = readEarlierObjects(bench.deployed.state.earlierObjects);
      const object = { Bucket: EARLIER_OBJECTS_BUCKET, Key: first?.key };
      const { Body } = await s3.send(new GetObjectCommand(object));
      const body = (await Body?.transformToByteArray()) ?? Buffer.alloc(0);
      bench.mendBy(async () =>
        s3.send(new PutObjectCommand({ ...object, Body: body, ServerSideEncryption: 'AES256' })),
      );
      await s3.send(new DeleteObjectCommand(object));
    },
  },
  {
    name: 'a second KES that nobody declared answers for the first',
    red: {
      'unreadable-without-kes': {
        message: /^GET of an object under backup-default succeeded while KES is stopped: .*KES runs twice/,
        fix: /look for .* a second KES/,
      },
    },
    plant: async (bench) => bench.runSecond('kes'),
  },
  {
    name: 'a master key that is only in the memory of KES any more',
    red: {
      'durable-after-kes-restart': {
        message:
          /^after KES was stopped and started: waited .* for an object under archive-key to open again; last seen: .*/,
        fix: /the key store does not give KES the master key: .*put it back from a backup/,
      },
    },
    alsoRed: { 'vault-master-keys': 'it sees the same loss in Vault, without taking KES away' },
    plant: async (bench) => {
      const root = await bench.vaultRoot();
      const s3 = bench.s3();
      const path = `${inVault(bench.deployed.environment).keyStore.prefix}/archive-key`;
      // its memory is full for five minutes, less would do if the key were not used every now and then
      await bench.reloadKes();
      const object = { Bucket: 'backup', Key: 'of a test', Body: 'x' };
      await s3.send(new PutObjectCommand({ ...object, ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'archive-key' }));
      bench.mendBy(async () => {
        await root.write(`kes/undelete/${path}`, { versions: [1] });
        await bench.reloadKes();
      });
      await root.probe('DELETE', `kes/data/${path}`);
    },
  },
];
