import type { RunningImages } from '../../../operations/docker/running-images';
import type { DeployedVersions } from '../../../operations/state/notes/versions-note';
import { versionChanges, waysBack } from '../../../operations/toolchain/version-changes';

const built = (program: string, letter: string) => `encrypted-backup-storage/${program}:${letter.repeat(16)}`;
const pulled = (letter: string) => `quay.io/minio/minio@sha256:${letter.repeat(64)}`;

const SHIPPED: DeployedVersions = {
  project: '0.3.0',
  providers: { docker: '4.6.0', vault: '5.9.0' },
  programs: {
    vault: { image: built('vault', 'b'), version: 'v1.21.1' },
    kes: { image: built('kes', 'b'), version: 'v0.24.0' },
    minio: { image: built('minio', 'b'), version: 'v2 with guard 2' },
  },
};
const RUNNING: RunningImages = {
  vault: [built('vault', 'b')],
  kes: [built('kes', 'b')],
  minio: [built('minio', 'b')],
};
const ANOTHER_MINIO = built('minio', 'a');
const noted = (version: string): DeployedVersions => ({
  ...SHIPPED,
  programs: { ...SHIPPED.programs, minio: { image: ANOTHER_MINIO, version } },
});
const TO_MINIO = `v2 with guard 2 (${built('minio', 'b')})`;

test.each<[string, RunningImages, DeployedVersions | undefined]>([
  ['everything is as it is shipped', RUNNING, SHIPPED],
  ['everything is, and no deploy noted it', RUNNING, undefined],
  ['nothing was deployed yet', {}, undefined],
  ['containers were removed, and the note has what is shipped', {}, SHIPPED],
  ['one container is missing', { ...RUNNING, minio: [] }, undefined],
])('nothing changes where %s', (_, running, note) => {
  expect(versionChanges(running, note, SHIPPED)).toEqual([]);
});

test.each<[string, RunningImages, DeployedVersions | undefined, Record<string, unknown>]>([
  [
    'a version that was noted',
    { ...RUNNING, minio: [ANOTHER_MINIO] },
    noted('v1 with guard 1'),
    { from: `v1 with guard 1 (${ANOTHER_MINIO})`, isUpgrade: true },
  ],
  [
    'a version that no deploy noted',
    { ...RUNNING, minio: [ANOTHER_MINIO] },
    undefined,
    { from: `a version that no deploy has noted (${ANOTHER_MINIO})`, isUpgrade: true },
  ],
  ['an image of a registry', { ...RUNNING, minio: [pulled('1')] }, undefined, { from: pulled('1'), isUpgrade: true }],
  [
    'the same version in another image, such as with other CA certificates',
    { ...RUNNING, minio: [ANOTHER_MINIO] },
    noted('v2 with guard 2'),
    { from: `v2 with guard 2 (${ANOTHER_MINIO})`, isUpgrade: false },
  ],
  [
    'two versions, where an upgrade of several hosts was interrupted',
    { ...RUNNING, minio: [built('minio', 'b'), ANOTHER_MINIO] },
    noted('v1 with guard 1'),
    { from: `${TO_MINIO} and v1 with guard 1 (${ANOTHER_MINIO})`, isUpgrade: true },
  ],
  [
    'a version whose containers were removed',
    {},
    noted('v1 with guard 1'),
    { from: `v1 with guard 1 (${ANOTHER_MINIO})`, isUpgrade: true },
  ],
])('MinIO changes from %s', (_, running, note, expected) => {
  const changes = versionChanges(running, note, SHIPPED);
  expect(changes).toEqual([expect.objectContaining({ of: 'MinIO', program: 'minio', to: TO_MINIO, ...expected })]);
});

test('this project and its providers change, too', () => {
  const before = { ...SHIPPED, project: '0.2.0', providers: { docker: '4.5.0', vault: '5.8.0' } };
  expect(versionChanges(RUNNING, before, SHIPPED).map(({ of, from, to }) => [of, from, to])).toEqual([
    ['this project', '0.2.0', '0.3.0'],
    ['the Terraform provider docker', '4.5.0', '4.6.0'],
    ['the Terraform provider vault', '5.8.0', '5.9.0'],
  ]);
});

test('MinIO and KES go back by their images, Vault by a restore alone', () => {
  const older = { vault: [built('vault', 'a')], kes: [built('kes', 'a')], minio: [ANOTHER_MINIO] };
  expect(waysBack(versionChanges(older, undefined, SHIPPED))).toEqual([
    'back to the version of before, KES, MinIO: name the image of before in images, then ./scripts/up (docs/upgrading.md)',
    'back to the version of before, Vault: only by ./scripts/restore, because a newer Vault may change its data',
  ]);
  const openbao = { image: built('openbao', 'b'), version: 'v2.4.1' };
  const shipped = { ...SHIPPED, programs: { openbao } };
  expect(waysBack(versionChanges({ openbao: [built('openbao', 'a')] }, undefined, shipped))).toEqual([
    'back to the version of before, OpenBao: only by ./scripts/restore, because a newer OpenBao may change its data',
  ]);
  expect(waysBack([])).toEqual([]);
});
