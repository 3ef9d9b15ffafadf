import { cacheLayout } from '../../../../operations/toolchain/cache';
import { fetchHaproxy, libraryClosure } from '../../../../operations/toolchain/debian/haproxy';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

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

test('a machine without apt is told where else the image can come from', async () => {
  const machine = { apt: false, root: true };
  expect(await rejectionOf(fetchHaproxy(cacheLayout({ XDG_CACHE_HOME: folder() }), {}, machine))).toMatchObject({
    message: 'the image of HAProxy is made from packages of Debian or Ubuntu, and this machine is neither',
    hint: 'Write `images: {source: registry, …}` with images.haproxy in the environment file, or run this on such a machine.',
  });
});
