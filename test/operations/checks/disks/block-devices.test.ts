import {
  type Encryption,
  encryptionOfMount,
  encryptionOfSwap,
} from '../../../../operations/checks/disks/block-devices';
import { mountOf, mountsIn, swapsIn } from '../../../../operations/checks/disks/mounts';
import { type Device, filesOf, hexadecimal, hostOf, logical, luks, type Machine } from './sysfs';

const root = (device: string, rest: string): string => `27 1 ${device} / / rw,relatime shared:1 - ${rest}`;

/** What is said of /data on a machine, which is a folder of its root unless a mount is there. */
async function lookAt(machine: Machine): Promise<Encryption> {
  const host = hostOf(machine);
  const mount = await host.mountOf('/data');
  if (mount === undefined) throw new Error('the machine has no root');
  return encryptionOfMount(mount, host);
}

const sda: Device = { name: 'sda', number: '8:0' };
const sda1: Device = { name: 'sda1', number: '8:1', partition: 1 };
const sdb: Device = { name: 'sdb', number: '8:16' };
const nvme: Device = { name: 'nvme0n1', number: '259:0' };
const nvme3: Device = { name: 'nvme0n1p3', number: '259:3', partition: 3 };
const ext4 = (device: string): Pick<Machine, 'mounts'> => ({ mounts: [root(device, 'ext4 /dev/root rw')] });
const zfs = root('0:31', 'zfs rpool/ROOT/ubuntu rw,xattr');

test.each<[string, Machine, string]>([
  ['ext4 on a partition', { devices: [sda, sda1], ...ext4('8:1') }, 'not encrypted: /dev/sda1'],
  ['ext4 on a whole disk', { devices: [sda], ...ext4('8:0') }, 'not encrypted: /dev/sda'],
  ['a partition of an NVMe drive', { devices: [nvme, nvme3], ...ext4('259:3') }, 'not encrypted: /dev/nvme0n1p3'],
  [
    'a partition of a controller whose names have a slash',
    {
      devices: [
        { name: 'cciss!c0d0', number: '104:0' },
        { name: 'cciss!c0d0p1', number: '104:1', partition: 1 },
      ],
      ...ext4('104:1'),
    },
    'not encrypted: /dev/cciss/c0d0p1',
  ],
  [
    'LUKS on a partition',
    { devices: [sda, sda1, luks('dm-0', '253:0', 'sda1', 'crypt-data')], ...ext4('253:0') },
    'encrypted: LUKS2 /dev/mapper/crypt-data',
  ],
  [
    'LVM on LUKS',
    {
      devices: [
        ...[nvme, nvme3, luks('dm-0', '253:0', 'nvme0n1p3', 'nvme0n1p3_crypt')],
        logical('dm-1', '253:1', ['dm-0'], 'vg-root'),
      ],
      ...ext4('253:1'),
    },
    'encrypted: LUKS2 /dev/mapper/nvme0n1p3_crypt',
  ],
  [
    'LUKS on LVM',
    {
      devices: [sda, logical('dm-0', '253:0', ['sda'], 'vg-data'), luks('dm-1', '253:1', 'dm-0', 'data')],
      ...ext4('253:1'),
    },
    'encrypted: LUKS2 /dev/mapper/data',
  ],
  [
    'LVM alone',
    { devices: [sda, sda1, logical('dm-0', '253:0', ['sda1'], 'vg-data')], ...ext4('253:0') },
    'not encrypted: /dev/sda1',
  ],
  [
    'LVM that has grown from LUKS to a plain disk',
    {
      devices: [
        ...[sda, sdb, luks('dm-0', '253:0', 'sda', 'pv')],
        logical('dm-1', '253:1', ['dm-0', 'sdb'], 'vg-data'),
      ],
      ...ext4('253:1'),
    },
    'not encrypted: /dev/sdb',
  ],
  [
    'RAID 1 of two LUKS devices',
    {
      devices: [
        ...[sda, sdb, luks('dm-0', '253:0', 'sda', 'left'), luks('dm-1', '253:1', 'sdb', 'right')],
        { name: 'md0', number: '9:0', slaves: ['dm-0', 'dm-1'] },
      ],
      ...ext4('9:0'),
    },
    'encrypted: LUKS2 /dev/mapper/left, LUKS2 /dev/mapper/right',
  ],
  [
    'a partition of a RAID of one LUKS device and one plain disk',
    {
      devices: [
        ...[sda, sdb, luks('dm-0', '253:0', 'sda', 'left')],
        { name: 'md0', number: '9:0', slaves: ['dm-0', 'sdb'] },
        { name: 'md0p1', number: '259:5', partition: 1 },
      ],
      ...ext4('9:0'),
    },
    'not encrypted: /dev/sdb',
  ],
  [
    'plain dm-crypt',
    {
      devices: [sda, { name: 'dm-0', number: '253:0', uuid: 'CRYPT-PLAIN-scratch', slaves: ['sda'] }],
      ...ext4('253:0'),
    },
    'encrypted: dm-crypt /dev/mapper/scratch',
  ],
  [
    'LUKS2 that lets the drive encrypt (OPAL)',
    {
      devices: [
        sda,
        {
          ...{ name: 'dm-0', number: '253:0', slaves: ['sda'] },
          uuid: `CRYPT-LUKS2-OPAL-${hexadecimal('0')}-locked`,
        },
      ],
      ...ext4('253:0'),
    },
    'encrypted: LUKS2-OPAL /dev/mapper/locked',
  ],
  [
    'dm-verity, which encrypts nothing',
    {
      devices: [sda, { name: 'dm-0', number: '253:0', uuid: `CRYPT-VERITY-${hexadecimal('b')}-usr`, slaves: ['sda'] }],
      ...ext4('253:0'),
    },
    'not encrypted: /dev/sda',
  ],
  [
    'dm-integrity, which encrypts nothing',
    {
      devices: [sda, { name: 'dm-0', number: '253:0', uuid: 'CRYPT-INTEGRITY-sums', slaves: ['sda'] }],
      ...ext4('253:0'),
    },
    'not encrypted: /dev/sda',
  ],
  [
    'a device that dmsetup made without a uuid',
    { devices: [sda, { name: 'dm-0', number: '253:0', uuid: '', slaves: ['sda'] }], ...ext4('253:0') },
    'cannot be told: /dev/dm-0: it has no uuid that says what it does',
  ],
  [
    'a RAID of which sysfs names no disk',
    { devices: [{ name: 'md127', number: '9:127' }], ...ext4('9:127') },
    'cannot be told: /dev/md127: sysfs names no device below it',
  ],
  [
    'a disk of Ceph',
    { devices: [{ name: 'rbd0', number: '252:0' }], ...ext4('252:0') },
    'cannot be told: /dev/rbd0: the kernel does not say what is below it',
  ],
  [
    'a device that sysfs does not have',
    { devices: [], ...ext4('8:1') },
    'cannot be told: sysfs has no /sys/dev/block/8:1',
  ],
  [
    'btrfs on two LUKS devices',
    {
      devices: [sda, sdb, luks('dm-0', '253:0', 'sda', 'one'), luks('dm-1', '253:1', 'sdb', 'two')],
      mounts: [root('0:25', 'btrfs /dev/mapper/two rw,subvol=/@')],
      btrfs: { 'a1b2c3d4-0000-0000-0000-000000000000': ['dm-0', 'dm-1'] },
    },
    'encrypted: LUKS2 /dev/mapper/one, LUKS2 /dev/mapper/two',
  ],
  [
    'btrfs on a LUKS device and a plain partition, beside another btrfs',
    {
      devices: [sda, sda1, sdb, luks('dm-0', '253:0', 'sdb', 'one')],
      mounts: [root('0:25', 'btrfs /dev/sda1 rw,subvol=/')],
      btrfs: { 'other-btrfs': ['nvme0n1'], 'this-btrfs': ['dm-0', 'sda1'] },
    },
    'not encrypted: /dev/sda1',
  ],
  [
    'btrfs that sysfs does not list',
    { devices: [sda], mounts: [root('0:25', 'btrfs /dev/sda rw')] },
    'cannot be told: btrfs of /dev/sda: sysfs does not list its devices',
  ],
  [
    'ZFS',
    { devices: [sda], mounts: [zfs] },
    'cannot be told: zfs of rpool/ROOT/ubuntu: the kernel does not say whether ZFS encrypts, `zfs get encryption` does',
  ],
  [
    'overlay, the image of a container',
    { devices: [sda], mounts: [root('0:143', 'overlay overlay rw,lowerdir=/l')] },
    'cannot be told: overlay of overlay: the folders beneath it are not seen from here',
  ],
  [
    'NFS',
    {
      devices: [sda],
      mounts: [root('8:0', 'ext4 /dev/sda rw'), '40 27 0:50 / /data rw - nfs4 nas:/backup\\040set rw'],
    },
    'cannot be told: nfs4 of nas:/backup set: the disk is that of another machine',
  ],
  [
    'a file system of FUSE',
    { devices: [], mounts: [root('0:50', 'fuse.gocryptfs cipher rw')] },
    'cannot be told: fuse.gocryptfs of cipher: the file system names no block device',
  ],
  ['tmpfs', { devices: [sda], mounts: [root('0:24', 'tmpfs tmpfs rw')] }, 'memory: tmpfs'],
  [
    'a loop device with a file on LUKS',
    {
      devices: [
        ...[sda, luks('dm-0', '253:0', 'sda', 'home')],
        { name: 'loop3', number: '7:3', files: { 'loop/backing_file': '/srv/disk image.raw\n' } },
      ],
      mounts: [root('253:0', 'ext4 /dev/mapper/home rw'), '40 27 7:3 / /data rw - xfs /dev/loop3 rw'],
    },
    'encrypted: LUKS2 /dev/mapper/home',
  ],
  [
    'a loop device with a file on a plain disk',
    {
      devices: [sda, { name: 'loop3', number: '7:3', files: { 'loop/backing_file': '/srv/disk.raw\n' } }],
      mounts: [root('8:0', 'ext4 /dev/sda rw'), '40 27 7:3 / /data rw - xfs /dev/loop3 rw'],
    },
    'not encrypted: /dev/sda',
  ],
  [
    'devices that lie upon each other in a circle',
    {
      devices: [logical('dm-0', '253:0', ['dm-1'], 'a'), logical('dm-1', '253:1', ['dm-0'], 'b')],
      ...ext4('253:0'),
    },
    'cannot be told: /dev/dm-1: more than 16 devices lie upon each other',
  ],
])('%s', async (_, machine, verdict) => {
  const { state, what } = await lookAt(machine);
  expect(`${state}: ${what}`).toBe(verdict);
});

const KEYED = luks('dm-0', '253:0', 'sda', 'home');

test.each<[string, Machine, readonly string[]]>([
  ['no swap', { devices: [sda] }, []],
  [
    'a partition',
    { devices: [sda, sda1], swaps: ['/dev/sda1                               partition\t8388604\t\t0\t\t-2'] },
    ['not encrypted: /dev/sda1'],
  ],
  [
    'dm-crypt with a key of each boot',
    {
      devices: [sda, { name: 'dm-2', number: '253:2', uuid: 'CRYPT-PLAIN-cryptswap', slaves: ['sda'] }],
      swaps: ['/dev/dm-2                               partition\t8388604\t\t0\t\t-2'],
    },
    ['encrypted: dm-crypt /dev/mapper/cryptswap'],
  ],
  [
    'a file on LUKS, and one on a plain disk',
    {
      devices: [sda, sdb, KEYED],
      mounts: [root('253:0', 'ext4 /dev/mapper/home rw'), '40 27 8:16 / /mnt/my\\040disk rw - ext4 /dev/sdb rw'],
      swaps: ['/swap.img file\t1\t0\t-2', '/mnt/my\\040disk/swap file\t1\t0\t-3'],
    },
    ['encrypted: LUKS2 /dev/mapper/home', 'not encrypted: /dev/sdb'],
  ],
  [
    'a file on a file system that is not seen',
    { devices: [sda], swaps: ['/swap.img file\t1\t0\t-2'] },
    ['cannot be told: the file system of /swap.img is not seen from here'],
  ],
  [
    'zram',
    {
      devices: [{ name: 'zram0', number: '251:0', files: { backing_dev: 'none\n' } }],
      swaps: ['/dev/zram0 partition\t1\t0\t100'],
    },
    ['memory: /dev/zram0'],
  ],
  [
    'zram that writes to a plain disk what it does not need',
    {
      devices: [sda, { name: 'zram0', number: '251:0', files: { backing_dev: '/dev/sda\n' } }],
      swaps: ['/dev/zram0 partition\t1\t0\t100'],
    },
    ['not encrypted: /dev/sda'],
  ],
])('swap: %s', async (_, machine, verdicts) => {
  const swaps = swapsIn(filesOf(machine)['/proc/swaps'] ?? '');
  const found = await Promise.all(swaps.map(async (swap) => encryptionOfSwap(swap, hostOf(machine))));
  expect(found.map(({ state, what }) => `${state}: ${what}`)).toEqual(verdicts);
});

describe('the mount that a file is in', () => {
  const at = (mounts: readonly string[], file: string): string | undefined =>
    mountOf(mountsIn(mounts.join('\n')), file)?.source;
  const disk = root('8:0', 'ext4 /dev/root rw');

  test('is the one whose folder it is in, and no folder that only begins with the same letters', () => {
    const mounts = [disk, '40 27 8:16 / /srv rw - ext4 /dev/sdb rw', '41 40 8:32 / /srv/a rw - ext4 /dev/sdc rw'];
    expect(at(mounts, '/srv/a/file')).toBe('/dev/sdc');
    expect(at(mounts, '/srv/abc')).toBe('/dev/sdb');
    expect(at(mounts, '/srvice')).toBe('/dev/root');
  });

  test('is the later of two at one point', () => {
    const mounts = [disk, '40 27 8:16 / /srv rw - ext4 /dev/sdb rw', '41 40 8:32 / /srv rw - ext4 /dev/sdc rw'];
    expect(at(mounts, '/srv/file')).toBe('/dev/sdc');
  });

  test('is not a deeper one that a later mount hides', () => {
    const mounts = [
      ...[disk, '40 27 8:16 / /srv/a rw - ext4 /dev/hidden rw', '41 27 8:32 / /srv rw - ext4 /dev/sdc rw'],
    ];
    expect(at(mounts, '/srv/a/file')).toBe('/dev/sdc');
  });

  test('is none where nothing is mounted', () => {
    expect(at([], '/srv')).toBeUndefined();
  });
});
