/** What is mounted where, and which swap is in use, as Linux lists them. */

export interface Mount {
  readonly id: string;
  /** Id of the mount that it is in. */
  readonly parent: string;
  /** Number of the block device, such as `8:1`. Major 0: the file system has none of its own. */
  readonly device: string;
  readonly point: string;
  /** Type of the file system. */
  readonly type: string;
  /** What was mounted: a device, a data set, a share. */
  readonly source: string;
}

/** @param text of /proc/self/mountinfo (man 5 proc_pid_mountinfo) */
export function mountsIn(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before = '', after] = line.split(' - ');
    if (after === undefined) return [];
    const [id = '', parent = '', device = '', , point = ''] = before.split(' ');
    const [type = '', source = ''] = after.split(' ');
    return [{ id, parent, device, point: unescaped(point), type, source: unescaped(source) }];
  });
}

/**
 * The mount that a file is in, as the kernel finds it: from the root on, at each mount point of the present mount. The
 * longest mount point would be wrong where a later mount hides it.
 */
export function mountOf(mounts: readonly Mount[], file: string): Mount | undefined {
  const within = (candidates: readonly Mount[]): Mount | undefined =>
    candidates
      .filter(({ point }) => point === '/' || file === point || file.startsWith(`${point}/`))
      .sort((a, b) => a.point.length - b.point.length)[0];
  let found: Mount | undefined;
  let next = within(mounts.filter(({ parent }) => mounts.every(({ id }) => id !== parent)));
  while (next !== undefined) {
    const { id } = (found = next);
    next = within(mounts.filter(({ parent }) => parent === id));
  }
  return found;
}

export interface Swap {
  readonly path: string;
  /** Swap in a file, or on a whole block device. */
  readonly kind: 'file' | 'device';
}

/** @param text of /proc/swaps (man 5 proc) */
export function swapsIn(text: string): Swap[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [path = '', type] = line.split(/\s+/);
      return path === '' ? [] : [{ path: unescaped(path), kind: type === 'file' ? 'file' : 'device' }];
    });
}

/** Linux writes spaces and the like as three octal digits. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
