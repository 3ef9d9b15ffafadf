import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { nodesOf } from '../../../config/node';
import { mustSucceed } from '../../helpers/e2e/command';
import { measured } from '../../helpers/e2e/clients/measured';
import { putObject } from '../../helpers/e2e/clients/object-set';
import { endure } from './endure';
import { ResticBeside } from './restic-beside';
import { other, PLAIN, type ThreeHosts } from './three-hosts';
import { activeVault } from './vaults';

const PROGRAMS: Readonly<Record<string, string>> = { minio: 'MinIO', kes: 'KES', vault: 'Vault', balancer: 'HAProxy' };
const MORE_MEMORY = {
  balancer: { memoryMb: 192 },
  kes: { memoryMb: 192 },
  vault: { memoryMb: 768 },
  minio: { memoryMb: 1152 },
};

/** MinIO goes on writing to it: what is written while the rest goes keeps a folder from being removed. */
const WIPE = `for round in 1 2 3 4 5 6 7 8 9 10; do
  find "$1" -mindepth 1 -delete 2>/dev/null
  if [ ! -e "$1/.minio.sys/format.json" ] && [ ! -e "$1/backup" ]; then exit 0; fi
done
find "$1" -mindepth 1 -maxdepth 2 >&2
exit 1
`;

export function describeFaults(lab: () => ThreeHosts): void {
  describe('further faults', () => {
    test.each(['minio', 'kes', 'vault', 'balancer'])('%s of a host is killed', async (program) => {
      const host = program === 'vault' ? await activeVault(lab()) : 2;
      const container = lab().container(host, program);
      await endure(
        lab(),
        `${PROGRAMS[program] ?? program} of a host is killed`,
        host,
        async () => {
          await container.kill();
        },
        // Docker takes a kill for somebody's wish to stop it
        { undo: async () => container.start() as Promise<void> },
      );
      expect(await lab().lost(other(host))).toEqual([]);
      await lab().untilCheckPasses();
    });

    test.each(['minio', 'kes', 'vault'])('%s of a host is paused', async (program) => {
      const host = program === 'vault' ? await activeVault(lab()) : 2;
      const container = lab().container(host, program);
      await endure(
        lab(),
        `${PROGRAMS[program] ?? program} of a host is paused`,
        host,
        async () => {
          await container.pause();
        },
        { halts: program === 'minio', undo: async () => container.unpause() as Promise<void> },
      );
      await lab().untilCheckPasses();
      expect(await lab().lost(other(host))).toEqual([]);
    });

    test('the drive of a host is wiped: the next check heals it', async () => {
      const volume = lab()
        .engine(2)
        .getVolume(nodesOf(lab().environment.loaded.environment)[1]?.minio.drives[0].source ?? '');
      const { Mountpoint } = await volume.inspect();
      const wipe = path.join(lab().environment.folder, 'wipe.sh');
      writeFileSync(wipe, WIPE);
      await endure(lab(), 'The drive of a host is wiped', 2, async () => lab().hosts.run(2, ['sh', wipe, Mountpoint]));
      await lab().untilCheckPasses();
      mustSucceed(await lab().script('heal'));
      await lab().hosts.powerOff(3);
      expect(await lab().lost(1)).toEqual([]);
      await lab().hosts.powerOn(3);
      await lab().untilCheckPasses();
    });

    test('restic, which knows the address of one host, writes on while another loses its power', async () => {
      const backup = new ResticBeside(lab(), 1);
      await backup.begin();
      await endure(lab(), 'Power off, restic beside', 3, async () => lab().hosts.powerOff(3), {
        undo: async () => lab().hosts.powerOn(3),
      });
      expect(await backup.end()).toBeGreaterThan(1);
      await lab().untilCheckPasses();
    });

    test('two hosts do not reach each other', async () => {
      await endure(lab(), 'Two hosts do not reach each other', 1, async () => lab().hosts.cut(1, 2), {
        undo: async () => lab().hosts.join(1, 2),
      });
      // until the two nodes have found each other again, each reads without the drives of the other
      await lab().untilCheckPasses();
      expect(await lab().lost(3)).toEqual([]);
    });

    test.each([
      { what: 'Another memory limit for each program', change: MORE_MEMORY },
      // Docker cannot change it while a container runs
      { what: 'Every container is replaced', change: { docker: { processLimit: 4096 } } },
    ])('$what: nothing is felt', async ({ what, change }) => {
      const before = await lab().containerIds();
      const { settings } = lab();
      const minio = { ...settings.minio, ...('minio' in change ? change.minio : {}) };
      await endure(
        lab(),
        what,
        1,
        async () => {
          lab().write({ ...settings, ...change, minio });
          const result = mustSucceed(await lab().script('up'));
          measured(what, result.seconds);
        },
        { rolls: true },
      );
      const kept = (await lab().containerIds()).filter((id) => before.includes(id));
      expect(kept).toHaveLength('docker' in change ? 0 : before.length);
      expect(await lab().lost(2)).toEqual([]);
    });

    test('what each MinIO missed while it was replaced is on its drive: another host may go at once', async () => {
      await lab().hosts.powerOff(3);
      expect(await lab().lost(1)).toEqual([]);
      await lab().hosts.powerOn(3);
      await lab().untilCheckPasses();
    });

    test('two hosts lose their power: nothing is acknowledged that is lost, and service is back with them', async () => {
      const s3 = lab().s3Of(1, 1);
      await Promise.all([lab().hosts.powerOff(2), lab().hosts.powerOff(3)]);
      await expect(putObject(s3, PLAIN, 'alone', Buffer.from('x'))).rejects.toThrow();
      s3.destroy();
      await Promise.all([lab().hosts.powerOn(2), lab().hosts.powerOn(3)]);
      mustSucceed(await lab().script('start'));
      await lab().untilCheckPasses();
      expect(await lab().lost(1)).toEqual([]);
    });

    test('a host is replaced by an empty machine: up makes everything there, and heal fills its drive', async () => {
      await lab().hosts.powerOff(3);
      await lab().hosts.replace(3);
      mustSucceed(await lab().script('up'));
      mustSucceed(await lab().script('heal'));
      await lab().untilCheckPasses();
      expect(await lab().lost(3)).toEqual([]);
    });
  });
}
