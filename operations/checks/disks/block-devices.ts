/**
 * Whether what is beneath a file system is encrypted, as far as the kernel knows.
 *
 * The kernel tells by sysfs: a device of dm-crypt has a uuid that begins with `CRYPT-` (cryptsetup, lib/libdevmapper.c),
 * and each device names those below it in `slaves`. So does systemd (src/shared/blockdev-util.c, blockdev_is_encrypted).
 * Two things are otherwise here. dm-verity and dm-integrity have such a uuid and encrypt nothing. And partitions, btrfs,
 * loop devices and swap files are followed, too.
 *
 * | beneath                                       | verdict                                            |
 * |-----------------------------------------------|----------------------------------------------------|
 * | dm-crypt                                      | `encrypted`                                        |
 * | partition                                     | as its disk                                        |
 * | LVM, RAID, multipath, bcache, btrfs           | `encrypted` only if each device below is           |
 * | loop device, swap file                        | as the file system with the file                   |
 * | tmpfs, zram                                   | `memory`                                           |
 * | a disk                                        | `not encrypted`: the kernel does not see what it does itself |
 * | ZFS, network, overlay, FUSE                   | `cannot be told`                                   |
 */
import type { Mount, Swap } from './mounts';

/** What is read of a machine. */
export interface HostFiles {
  /** Undefined: there is no such file. */
  readonly read: (file: string) => Promise<string | undefined>;
  /** The names in a folder; none where there is no such folder. */
  readonly list: (folder: string) => Promise<readonly string[]>;
  /** The mount that a file of the machine is in. Undefined: it cannot be told. */
  readonly mountOf: (file: string) => Promise<Mount | undefined>;
}

export interface Encryption {
  readonly state: 'encrypted' | 'memory' | 'not encrypted' | 'cannot be told';
  /** What encrypts, which device does not, or why it cannot be told. */
  readonly what: string;
}

export async function encryptionOfMount(mount: Mount, host: HostFiles, depth = 0): Promise<Encryption> {
  const { device, type, source } = mount;
  if (type === 'tmpfs' || type === 'ramfs') return { state: 'memory', what: type };
  if (type === 'btrfs') return encryptionOfBtrfs(source, host, depth);
  if (!device.startsWith('0:')) return encryptionOfDevice(`/sys/dev/block/${device}`, host, depth);
  return unknown(`${type} of ${source}: ${WITHOUT_DEVICE[type] ?? 'the file system names no block device'}`);
}

export async function encryptionOfSwap({ path, kind }: Swap, host: HostFiles): Promise<Encryption> {
  return kind === 'file' ? encryptionOfFile(path, host, 0) : encryptionOfNode(path, host, 0);
}

/** Why a file system without a block device says nothing. */
const WITHOUT_DEVICE: Readonly<Record<string, string>> = {
  zfs: 'the kernel does not say whether ZFS encrypts, `zfs get encryption` does',
  overlay: 'the folders beneath it are not seen from here',
  ...Object.fromEntries(
    ['nfs', 'nfs4', 'cifs', 'smb3', 'ceph', 'glusterfs', 'fuse.glusterfs', '9p', 'virtiofs'].map((type) => [
      type,
      'the disk is that of another machine',
    ]),
  ),
};

/** The kernel hides what is below these. */
const OF_OTHERS = /^(?:nbd|rbd|drbd|ublkb|zd)\d/;

/** No stack of real devices is as deep; a kernel that says so has been misread. */
const DEEPEST = 16;

/** Kinds of dm-crypt that encrypt, and the name of the mapping after the uuid of its header. */
const ENCRYPTS = /^CRYPT-(LUKS1|LUKS2(?:-OPAL)?|PLAIN|LOOPAES|TCRYPT|BITLK|FVAULT2)-(?:[0-9a-f]{32}-)?(.*)$/;

/** @param folder of the device in sysfs */
async function encryptionOfDevice(folder: string, host: HostFiles, depth: number): Promise<Encryption> {
  const uevent = variablesIn((await host.read(`${folder}/uevent`)) ?? '');
  const name = uevent.get('DEVNAME');
  if (name === undefined) return unknown(`sysfs has no ${folder}`);
  if (depth > DEEPEST) return unknown(`/dev/${name}: more than ${DEEPEST} devices lie upon each other`);
  const below = async (names: readonly string[]): Promise<Encryption> =>
    ofAll(await Promise.all(names.map(async (one) => encryptionOfNode(one, host, depth + 1))));

  const partition = uevent.get('PARTN');
  if (partition !== undefined) {
    const disk = await below([diskOf(name, partition)]);
    return disk.state === 'not encrypted' ? { ...disk, what: `/dev/${name}` } : disk;
  }
  if (/^ram\d/.test(name)) return { state: 'memory', what: `/dev/${name}` };
  if (/^zram\d/.test(name)) {
    const backing = (await host.read(`${folder}/backing_dev`))?.trim() ?? 'none';
    return backing === 'none' ? { state: 'memory', what: `/dev/${name}` } : below([backing]);
  }
  if (/^loop\d/.test(name)) {
    const file = (await host.read(`${folder}/loop/backing_file`))?.replace(/\n$/, '');
    return file === undefined
      ? unknown(`/dev/${name}: sysfs does not name its file`)
      : encryptionOfFile(file, host, depth + 1);
  }

  const mapped = name.startsWith('dm-');
  const [uuid = '', slaves] = await Promise.all([
    mapped ? host.read(`${folder}/dm/uuid`) : undefined,
    host.list(`${folder}/slaves`),
  ]);
  const [, kind, mapping] = ENCRYPTS.exec(uuid.trim()) ?? [];
  if (kind !== undefined) {
    return { state: 'encrypted', what: `${kind === 'PLAIN' ? 'dm-crypt' : kind} /dev/mapper/${mapping ?? name}` };
  }
  if (slaves.length === 0) {
    if (mapped || /^(?:md|bcache)\d/.test(name)) return unknown(`/dev/${name}: sysfs names no device below it`);
    if (OF_OTHERS.test(name)) return unknown(`/dev/${name}: the kernel does not say what is below it`);
    return { state: 'not encrypted', what: `/dev/${name}` };
  }
  const all = await below(slaves);
  // made by dmsetup alone, it may encrypt
  if (mapped && uuid.trim() === '' && all.state === 'not encrypted') {
    return unknown(`/dev/${name}: it has no uuid that says what it does`);
  }
  return all;
}

/** @param node path in /dev, or name */
async function encryptionOfNode(node: string, host: HostFiles, depth: number): Promise<Encryption> {
  const name = node.replace(/^\/dev\//, '').replaceAll('/', '!');
  return encryptionOfDevice(`/sys/class/block/${name}`, host, depth);
}

async function encryptionOfFile(file: string, host: HostFiles, depth: number): Promise<Encryption> {
  if (depth > DEEPEST) return unknown(`${file}: more than ${DEEPEST} devices lie upon each other`);
  const mount = await host.mountOf(file);
  if (mount === undefined) return unknown(`the file system of ${file} is not seen from here`);
  return encryptionOfMount(mount, host, depth);
}

/** The device number of btrfs is its own, but sysfs lists the devices of each. */
async function encryptionOfBtrfs(source: string, host: HostFiles, depth: number): Promise<Encryption> {
  const wanted = source.replace(/^\/dev\/(?:mapper\/)?/, '');
  const called = async (device: string): Promise<readonly string[]> => [
    device,
    ...(device.startsWith('dm-') ? [(await host.read(`/sys/class/block/${device}/dm/name`))?.trim() ?? ''] : []),
  ];
  for (const uuid of await host.list('/sys/fs/btrfs')) {
    const devices = await host.list(`/sys/fs/btrfs/${uuid}/devices`);
    const names = (await Promise.all(devices.map(called))).flat();
    if (!names.includes(wanted)) continue;
    return ofAll(await Promise.all(devices.map(async (device) => encryptionOfNode(device, host, depth + 1))));
  }
  return unknown(`btrfs of ${source}: sysfs does not list its devices`);
}

/** The kernel puts a `p` between a name that ends in a digit and the number of a partition (block/partitions/core.c). */
function diskOf(name: string, partition: string): string {
  const disk = name.slice(0, name.length - partition.length);
  return /\dp$/.test(disk) ? disk.slice(0, -1) : disk;
}

/** Of several devices with parts of the same data: one that is plain has plain data. */
function ofAll(found: readonly Encryption[]): Encryption {
  const states = ['not encrypted', 'cannot be told', 'encrypted', 'memory'] as const;
  for (const state of states) {
    const what = found.filter((one) => one.state === state).map((one) => one.what);
    if (what.length > 0) return { state, what: [...new Set(what)].join(', ') };
  }
  return unknown('sysfs names no device');
}

function variablesIn(uevent: string): ReadonlyMap<string, string> {
  return new Map(
    uevent.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
    }),
  );
}

const unknown = (what: string): Encryption => ({ state: 'cannot be told', what });
