/** What an upgrade is to whoever starts it: from what to what, a backup first, and the way back. */
import type { HostsHere } from '../docker/hosts/hosts-here';
import { runningImages } from '../docker/running-images';
import type { Step } from '../lib/step';
import type { LoadedEnvironment } from '../state/load';
import { noteDeployedVersions, readDeployedVersions } from '../state/notes/versions-note';
import { readToolchain } from './findings';
import { type VersionChange, versionChanges, waysBack } from './version-changes';
import { shippedVersions } from './versions';

export interface VersionSteps {
  /** Before anything is deployed; after the toolchain is ready. */
  readonly before: readonly Step[];
  /** When everything is deployed. */
  readonly after: Step;
}

/** @param withoutBackup whether an upgrade goes on without a backup */
export function versionSteps(loaded: LoadedEnvironment, hosts: HostsHere, withoutBackup: boolean): VersionSteps {
  const { environment, state } = loaded;
  let changes: readonly VersionChange[] = [];
  const isUpgrade = (): boolean => changes.some((change) => change.isUpgrade);
  return {
    before: [
      {
        title: 'Versions',
        run: async ({ announce }) => {
          const shipped = await shippedVersions(environment, readToolchain());
          changes = versionChanges(await runningImages(hosts.here(environment)), readDeployedVersions(state), shipped);
          for (const { of, from, to } of changes) announce(`${of}: from ${from} to ${to}`);
          if (!isUpgrade()) return changes.length === 0 ? 'nothing is upgraded' : 'the same versions in other images';
          for (const line of waysBack(changes)) announce(line);
          return `upgraded: ${changes.map(({ of }) => of).join(', ')}`;
        },
      },
      {
        title: 'Backup before the upgrade',
        applies: isUpgrade,
        run: async () => {
          if (withoutBackup) return 'none: --without-backup';
          // only where it is needed: it takes long to load
          const { requireBackup } = await import('../backup/before-upgrade.js');
          return (await requireBackup(loaded, new Date())) ?? 'there is no master key yet';
        },
      },
    ],
    after: {
      title: 'Note of the versions',
      // what a host has that is away is known when it is back
      applies: () => hosts.missing.length === 0,
      run: async () => {
        noteDeployedVersions(state, await shippedVersions(environment, readToolchain()));
        return undefined;
      },
    },
  };
}
