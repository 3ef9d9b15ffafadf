import { mkdirSync } from 'node:fs';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { haproxyFolder, libraryClosure, requireApt } from '../../../../operations/toolchain/debian/haproxy';
import { prepareToolchain } from '../../../../operations/toolchain/prepare';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

/** As apt-cache prints it, shortened. */
const PRINTED = `haproxy
  PreDepends: dpkg
  Depends: libc6
 |Depends: libsystemd0
  Depends: <libvirtual>
    libelogind0
  Depends: adduser
dpkg
  PreDepends: libbz2-1.0
libc6
  Depends: libgcc-s1
libgcc-s1
  Depends: gcc-12-base
  Depends: libc6
libsystemd0
  PreDepends: libcap2
libcap2
libelogind0
libbz2-1.0
adduser
gcc-12-base
<libvirtual>`;

test('a program is fetched with the libraries below it, without what installs it', () => {
  expect(libraryClosure(PRINTED, 'haproxy')).toEqual(['haproxy', 'libc6', 'libcap2', 'libgcc-s1', 'libsystemd0']);
});

test('there is none where apt does not know the package', () => {
  expect(libraryClosure('', 'haproxy')).toEqual([]);
});

const REFUSED = {
  message: 'the image of HAProxy is made from packages of Debian or Ubuntu, and this machine is neither',
  hint: 'Write `images: {source: registry, …}` with images.haproxy in the environment file, or run this on such a machine.',
};
const WITHOUT_APT = { apt: false, root: true };

test('a machine without apt is told where else the image can come from', () => {
  const cache = cacheLayout({ XDG_CACHE_HOME: folder() });
  expect(
    thrownBy(() => {
      requireApt(cache, WITHOUT_APT);
    }),
  ).toMatchObject(REFUSED);
  expect(() => {
    requireApt(cache, { apt: true, root: false });
  }).not.toThrow();
  mkdirSync(haproxyFolder(cache), { recursive: true });
  expect(() => {
    requireApt(cache, WITHOUT_APT);
  }).not.toThrow();
});

describe('such a machine', () => {
  const before = process.env.XDG_CACHE_HOME;
  beforeEach(() => {
    process.env.XDG_CACHE_HOME = folder();
  });
  afterEach(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });

  test('is told so by the first step, before anything is looked for or built', async () => {
    const context = { report: jest.fn(), announce: jest.fn(), signal: AbortSignal.abort(new Error('too late')) };
    const { prerequisites } = prepareToolchain({ images: 'build', balancer: true, ownEngine: false }, WITHOUT_APT);
    expect(await rejectionOf(prerequisites.run(context))).toMatchObject(REFUSED);
  });
});
