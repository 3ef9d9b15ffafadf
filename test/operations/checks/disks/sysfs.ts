/**
 * Machines as the kernel shows them. They are written down here by its documentation and by what lsblk and cryptsetup show
 * of such machines: no test can make a device of dm-crypt where there is no device mapper.
 */
import type { HostFiles } from '../../../../operations/checks/disks/block-devices';
import { mountOf, mountsIn } from '../../../../operations/checks/disks/mounts';

export interface Device {
  readonly name: string;
  /** Major and minor number. */
  readonly number: string;
  /** Number of a partition. */
  readonly partition?: number;
  /** Uuid and name of a device of device mapper. */
  readonly uuid?: string;
  readonly mapping?: string;
  /** Devices below it. */
  readonly slaves?: readonly string[];
  /** Further files of its folder. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Machine {
  readonly devices: readonly Device[];
  /** Lines of /proc/self/mountinfo. */
  readonly mounts?: readonly string[];
  /** Lines of /proc/swaps after the first. */
  readonly swaps?: readonly string[];
  /** Devices of each btrfs, by its uuid. */
  readonly btrfs?: Readonly<Record<string, readonly string[]>>;
}

export const hexadecimal = (digit: string): string => digit.repeat(32);

/** A device of LUKS2. */
export const luks = (name: string, number: string, slave: string, mapping: string): Device => ({
  ...{ name, number, mapping, slaves: [slave] },
  uuid: `CRYPT-LUKS2-${hexadecimal('a')}-${mapping}`,
});

export const logical = (name: string, number: string, slaves: readonly string[], mapping: string): Device => ({
  ...{ name, number, mapping, slaves },
  uuid: 'LVM-N6UVY8cmohiC07sinSFiY4avKgfs1LxvEG443JVOOTBYjD7h9Kwc4vnYerfwZJdi',
});

export function filesOf({ devices, mounts = [], swaps = [], btrfs = {} }: Machine): Record<string, string> {
  const files: Record<string, string> = {
    '/proc/self/mountinfo': `${mounts.join('\n')}\n`,
    '/proc/swaps': ['Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority', ...swaps, ''].join('\n'),
    '/sys/fs/btrfs/features/raid56': '0\n',
  };
  for (const { name, number, partition, uuid, mapping, slaves = [], files: more = {} } of devices) {
    const [major, minor] = number.split(':');
    const kind = partition === undefined ? 'DEVTYPE=disk\n' : `DEVTYPE=partition\nPARTN=${partition}\n`;
    for (const folder of [`/sys/dev/block/${number}`, `/sys/class/block/${name}`]) {
      files[`${folder}/uevent`] = `MAJOR=${major}\nMINOR=${minor}\nDEVNAME=${name.replaceAll('!', '/')}\n${kind}`;
      if (uuid !== undefined) files[`${folder}/dm/uuid`] = `${uuid}\n`;
      if (mapping !== undefined) files[`${folder}/dm/name`] = `${mapping}\n`;
      for (const slave of slaves) files[`${folder}/slaves/${slave}/size`] = '1\n';
      for (const [file, content] of Object.entries(more)) files[`${folder}/${file}`] = content;
    }
  }
  for (const [uuid, members] of Object.entries(btrfs)) {
    for (const member of members) files[`/sys/fs/btrfs/${uuid}/devices/${member}/size`] = '1\n';
  }
  return files;
}

export function hostOf(machine: Machine): HostFiles {
  const files = filesOf(machine);
  return {
    read: async (file) => Promise.resolve(files[file]),
    list: async (folder) => {
      const inside = Object.keys(files).filter((file) => file.startsWith(`${folder}/`));
      return Promise.resolve([...new Set(inside.map((file) => file.slice(folder.length + 1).split('/')[0] ?? ''))]);
    },
    mountOf: async (file) => Promise.resolve(mountOf(mountsIn(files['/proc/self/mountinfo'] ?? ''), file)),
  };
}
