import { randomBytes } from 'node:crypto';
import { assembled, HASH_BYTES, type Shard } from '../../../../operations/minio/drives/erasure';

/** As MinIO cuts a file for drives with data, with something that stands for parity behind. */
function cut(
  content: Buffer,
  { data, parity, blockSize }: { data: number; parity: number; blockSize: number },
): Shard[] {
  return Array.from({ length: data + parity }, (_, index): Shard => {
    const pieces: Buffer[] = [];
    for (let start = 0; start < content.length; start += blockSize) {
      const block = content.subarray(start, start + blockSize);
      const length = Math.ceil(block.length / data);
      const piece = Buffer.alloc(length);
      if (index < data) block.copy(piece, 0, index * length, (index + 1) * length);
      pieces.push(randomBytes(HASH_BYTES), piece);
    }
    const common = { dataShards: data, blockSize, size: content.length, modified: 7, folder: '' };
    return { ...common, index: index + 1, bytes: Buffer.concat(pieces) };
  });
}

test.each([
  [1, 2, 2],
  [4096, 2, 2],
  [999, 3, 2],
  [10_000, 3, 2],
  [4096 * 3, 4, 4],
])('%i bytes on %i drives with data and %i with parity, in whatever order', (size, data, parity) => {
  const content = randomBytes(size);
  expect(assembled(cut(content, { data, parity, blockSize: 4096 }).reverse())).toEqual(content);
});

const CONTENT = randomBytes(5000);
const shards = (): Shard[] => cut(CONTENT, { data: 2, parity: 2, blockSize: 4096 });

test('what a drive holds that missed the last write does not count', () => {
  const [, ...others] = shards();
  const [old] = shards().map((shard) => ({ ...shard, modified: 3, size: 9000, bytes: randomBytes(9000) }));
  if (old === undefined) throw new Error('nothing was cut');
  expect(assembled([old, ...shards()])).toEqual(CONTENT);
  expect(assembled([old, ...others])).toBeUndefined();
});

test('without a drive that has data nothing is put together, without one that has parity everything', () => {
  expect(assembled(shards().filter(({ index }) => index !== 1))).toBeUndefined();
  expect(assembled(shards().filter(({ index }) => index < 3))).toEqual(CONTENT);
  const cutOff = shards().map((shard) => ({ ...shard, bytes: shard.bytes.subarray(0, 100) }));
  expect(assembled(cutOff)).toBeUndefined();
  expect(assembled([])).toBeUndefined();
});
