/** An IPv4 range as its first address, a number, and the length of its prefix. */
interface Range {
  readonly first: number;
  readonly length: number;
}

/** The smallest range from which the networks of a deployment are cut leaves each 13 addresses for containers. */
const LONGEST_PREFIX = 27;

/** What is wrong with `docker.subnet`; undefined where nothing is. */
export function subnetProblem(subnet: string): string | undefined {
  const range = parse(subnet);
  if (range === undefined || range.length > LONGEST_PREFIX || range.length < 8) {
    return `must be an IPv4 range between /8 and /${LONGEST_PREFIX} such as 10.123.0.0/24`;
  }
  if (range.first % size(range) !== 0) return `must begin at its first address, as ${text(floor(range))} does`;
  return undefined;
}

/** Whether an IPv4 range begins at its first address; true of what is no range. */
export function beginsAtFirst(range: string): boolean {
  const parsed = parse(range);
  return parsed === undefined || parsed.first % size(parsed) === 0;
}

/** The two halves of a range: one for each network of a deployment. */
export function halvesOf(subnet: string): readonly [string, string] {
  const range = parse(subnet);
  if (range === undefined) throw new Error(`${subnet} is not an IPv4 range`);
  const half = { first: range.first, length: range.length + 1 };
  return [text(half), text({ ...half, first: half.first + size(half) })];
}

/** Whether two IPv4 ranges have an address in common. */
export function rangesOverlap(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)];
  return a !== undefined && b !== undefined && a.first < b.first + size(b) && b.first < a.first + size(a);
}

/** Whether every address of the IPv4 range `inner` is one of `outer`. */
export function rangeCovers(outer: string, inner: string): boolean {
  const [a, b] = [parse(outer), parse(inner)];
  if (a === undefined || b === undefined) return false;
  const start = floor(a).first;
  return start <= b.first && b.first + size(b) <= start + size(a);
}

function parse(subnet: string): Range | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(subnet);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, length = 0] = match.slice(1).map(Number);
  if (Math.max(a, b, c, d) > 255 || length > 32) return undefined;
  return { first: ((a * 256 + b) * 256 + c) * 256 + d, length };
}

function size({ length }: Range): number {
  return 2 ** (32 - length);
}

function floor(range: Range): Range {
  return { ...range, first: range.first - (range.first % size(range)) };
}

function text({ first, length }: Range): string {
  return `${[24, 16, 8, 0].map((shift) => (first >>> shift) & 255).join('.')}/${length}`;
}
