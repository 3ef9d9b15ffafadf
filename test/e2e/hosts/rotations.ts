import {
  AbortMultipartUploadCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { endure } from './endure';
import { HOSTS, type ThreeHosts } from './three-hosts';
import { healthOfVault, operatorTrust, untilVaultServes } from './vaults';

export function describeRotations(lab: () => ThreeHosts): void {
  /** MinIO lists unfinished uploads of one key only, but for those begun since it started (cmd/erasure-multipart.go). */
  async function abortUploads(bucket: string, prefix: string): Promise<void> {
    const s3 = lab().s3Of(1);
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    for (const { Key } of Contents) {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: Key }));
      for (const { UploadId } of Uploads) {
        await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
      }
    }
    s3.destroy();
  }

  describe('rotations', () => {
    test.each(['secret-id', 'certificates', 'client-identity'])(
      '%s: clients that try again are never refused',
      async (what) => {
        await endure(
          lab(),
          `./scripts/rotate ${what}`,
          1,
          async () => {
            mustSucceed(await lab().rotate([what]));
          },
          { rolls: true },
        );
        expect(await lab().lost(2)).toEqual([]);
      },
    );

    test('root-credentials: every MinIO starts again with the new ones, and refuses both', async () => {
      const old = lab().environment.credentials;
      const { stderr } = mustSucceed(await lab().rotate(['root-credentials']));
      measured('MinIO answers nobody', Number(/it answers again after ([\d.]+) s/.exec(stderr)?.[1]));
      expect(lab().environment.credentials.secretKey.equals(old.secretKey)).toBe(false);
      for (const host of HOSTS) {
        for (const credentials of [old, lab().environment.credentials]) {
          const s3 = lab().s3Of(host, 1, credentials);
          await expect(s3.send(new ListBucketsCommand({}))).rejects.toThrow(/disabled/);
          s3.destroy();
        }
        // nodes sign for each other with it
        expect(await lab().lost(host)).toEqual([]);
      }
    });

    test('master-key: what was under the old one is under the new one', async () => {
      // what a drive kept that was away when it was deleted would stop it, and an upload whose client lost its host
      mustSucceed(await lab().script('heal'));
      await abortUploads('backup', 'restic/data/');
      mustSucceed(await lab().rotate(['master-key', 'backup-default', '--to', 'backup-second']));
      lab().read();
      expect(lab().environment.loaded.environment.minio.defaultKey).toBe('backup-second');
      const { stdout } = mustSucceed(await lab().rotate(['inventory']));
      // versions stay under the old one
      expect(stdout).toMatch(/^backup-second: .*\n {2}backup: \d+ by SSE-S3/m);
      expect(await lab().lost(3)).toEqual([]);
    });

    test('unseal-keys: every Vault that starts again is opened by the new ones', async () => {
      const shares = () => readFileSync(lab().environment.state.secret.unsealShare(1), 'utf8');
      const old = shares();
      await endure(
        lab(),
        './scripts/rotate unseal-keys',
        1,
        async () => {
          mustSucceed(await lab().rotate(['unseal-keys']));
        },
        { rolls: true },
      );
      expect(shares()).not.toBe(old);
      for (const host of HOSTS) {
        await lab().container(host, 'vault').restart();
        const seconds = await untilVaultServes(lab(), host);
        measured(`Vault of host ${host} is opened by the new shares`, seconds);
      }
      await lab().untilCheckPasses();
    });

    test('unseal-keys is refused while a Vault is sealed: that one would not get the new shares', async () => {
      const unsealer = lab().container(3, 'vault-unsealer');
      await unsealer.stop();
      await lab().container(3, 'vault').restart();
      const { code, stderr } = await lab().rotate(['unseal-keys']);
      expect(code).toBe(1);
      expect(stderr).toContain('for Vault on host c to be unsealed and serve');
      const checked = await lab().script('check', ['--only', 'vault-unsealed']);
      expect(checked.stdout).toContain('Vault on host c is sealed');
      expect(checked.code).toBe(1);
      await unsealer.start();
      await untilVaultServes(lab(), 3);
    });

    test('ca, then ca --finish: clients with the old certificates alone are refused', async () => {
      const old = operatorTrust(lab());
      const renew = async (what: readonly string[]) =>
        endure(
          lab(),
          `./scripts/rotate ${what.join(' ')}`,
          1,
          async () => {
            mustSucceed(await lab().rotate(what));
          },
          { rolls: true },
        );

      await renew(['ca']);
      const both = { ...old, ca: operatorTrust(lab()).ca };
      for (const host of HOSTS) expect(await healthOfVault(lab(), host, both)).toBeDefined();

      await renew(['ca', '--finish']);
      const present = operatorTrust(lab());
      for (const host of HOSTS) {
        expect(await healthOfVault(lab(), host, present)).toBeDefined();
        // neither is Vault known by its old CA, nor the client by that of its certificate
        expect(await healthOfVault(lab(), host, { ...present, ca: old.ca })).toBeUndefined();
        expect(await healthOfVault(lab(), host, { ...present, cert: old.cert })).toBeUndefined();
      }
      expect(await lab().lost(2)).toEqual([]);
    });
  });
}
