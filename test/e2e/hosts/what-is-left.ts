import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { s3Endpoint } from '../../../config/state/endpoints';
import { newIdentity } from '../../../operations/backup/age/age-keys';
import { readCredentials, s3Client } from '../../../operations/minio/s3-client';
import { type LoadedEnvironment, loadEnvironment } from '../../../operations/state/load';
import { readCanaries } from '../../../operations/state/notes/canaries';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { ObjectSet, putObject } from '../../helpers/e2e/clients/object-set';
import { keepSigner } from '../../helpers/e2e/clients/signer';
import { HOSTS, PLAIN, type ThreeHosts } from './three-hosts';

export function describeWhatIsLeft(lab: () => ThreeHosts): void {
  describe('what is left of all hosts', () => {
    test('down, then up: the Vaults find each other again, and no object is lost', async () => {
      mustSucceed(await lab().script('down'));
      for (const host of HOSTS) expect(await lab().programsOf(host)).toEqual([]);
      mustSucceed(await lab().script('up'));
      expect(await lab().lost(2)).toEqual([]);
    });

    describe('nothing but a backup', () => {
      const identityOf = (name: string) => path.join(lab().environment.folder, `${name}-identity.txt`);
      const fileOf = (name: string) => path.join(lab().environment.folder, `${name}.age`);
      let keys: ReturnType<typeof readCanaries>;
      /** The same environment on the engine of this machine. */
      let single: LoadedEnvironment;

      async function backUp(name: string, environmentFile: string): Promise<void> {
        const to = ['--to', fileOf(name), '--recipient', await newIdentity(identityOf(name))];
        const made = await lab().environment.scriptWith('backup', [environmentFile, ...to], { env: lab().env });
        keepSigner(identityOf(name), mustSucceed(made));
      }
      async function restore(name: string, environmentFile: string): Promise<void> {
        const from = ['--from', fileOf(name), '--identity', identityOf(name), environmentFile];
        const { seconds } = mustSucceed(await lab().environment.scriptWith('restore', from, { env: lab().env }));
        measured(`./scripts/restore of a backup of ${name}`, seconds);
      }

      afterAll(async () => {
        const { environment } = lab();
        await environment.scriptWith('down', [single.file, '--delete-data', '--confirm', environment.name]);
      });

      test('of three hosts is restored onto one, with the master keys, and takes the objects', async () => {
        // GIVEN
        await backUp('three', lab().environment.file);
        keys = readCanaries(lab().environment.state.canaries);
        const directory = path.join(lab().environment.folder, 'single');
        const { hosts: _, balancer: __, ...settings } = lab().settings;
        const file = lab().environment.writeOther('single.yaml', {
          ...settings,
          state: { backend: 'local', directory },
        });

        // WHEN
        await restore('three', file);

        // THEN
        single = loadEnvironment(file);
        expect(readCanaries(single.state.canaries)).toEqual(keys);
        const s3 = () =>
          s3Client({
            endpoint: s3Endpoint(single.environment, single.state),
            region: single.environment.minio.region,
            credentials: readCredentials(single.state.secret.minioObjects),
          });
        const there = new ObjectSet(s3);
        const [from, to] = [lab().s3Of(1), s3()];
        for (const { bucket, key, sha256 } of [...lab().written.values()].slice(-200)) {
          const { Body } = await from.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
          await to.send(
            new PutObjectCommand({
              Bucket: bucket,
              Key: key,
              Body: Buffer.from((await Body?.transformToByteArray()) ?? []),
            }),
          );
          there.add({ ...PLAIN, bucket }, { key, sha256 });
        }
        for (const client of [from, to]) client.destroy();
        expect(there.size).toBe(200);
        expect(await there.lost()).toEqual([]);
      });

      test('of that host is restored onto three empty ones, with the same master keys', async () => {
        // GIVEN
        await backUp('one', single.file);
        for (const host of HOSTS) await lab().hosts.powerOff(host);
        for (const host of HOSTS) await lab().hosts.replace(host);
        rmSync(lab().environment.state.root, { recursive: true });

        // WHEN
        await restore('one', lab().environment.file);

        // THEN every balancer takes objects
        expect(readCanaries(lab().environment.state.canaries)).toEqual(keys);
        for (const host of HOSTS) {
          const s3 = lab().s3Of(host);
          await putObject(s3, PLAIN, `after the restore, ${host}`, Buffer.from('x'));
          s3.destroy();
        }
        await lab().environment.expectNothingToDeploy({ env: lab().env });
      });
    });
  });
}
