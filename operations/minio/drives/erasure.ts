/**
 * Puts together what MinIO has spread over several drives (minio/minio, cmd/erasure-coding.go): each block of a file is cut
 * into as many shards as there are drives without parity, and each shard follows its hash. Nothing is computed from
 * parity, so that a file whose data is on a drive that is away cannot be put together.
 */
import type { ShardInfo } from './xl-meta';

/** Each shard of a block follows its hash, HighwayHash256 (cmd/bitrot-streaming.go). */
export const HASH_BYTES = 32;

/** What one drive holds of a file. */
export interface Shard extends ShardInfo {
  readonly bytes: Buffer;
}

/** @returns undefined if a shard with data is missing */
export function assembled(shards: readonly Shard[]): Buffer | undefined {
  // a drive that was away may hold an earlier state of the file
  const newest = shards.reduce((time, { modified }) => Math.max(time, modified), 0);
  const current = shards.filter(({ modified }) => modified === newest);
  const [first] = current;
  if (first === undefined) return undefined;
  const { dataShards, blockSize, size } = first;
  const data = Array.from({ length: dataShards }, (_, index) => current.find((shard) => shard.index === index + 1));
  const blocks: Buffer[] = [];
  for (let done = 0, offset = 0; done < size; done += blockSize) {
    const block = Math.min(blockSize, size - done);
    const length = Math.ceil(block / dataShards);
    const pieces: Buffer[] = [];
    for (const shard of data) {
      const piece = shard?.bytes.subarray(offset + HASH_BYTES, offset + HASH_BYTES + length);
      if (piece?.length !== length) return undefined;
      pieces.push(piece);
    }
    blocks.push(Buffer.concat(pieces).subarray(0, block));
    offset += HASH_BYTES + length;
  }
  return Buffer.concat(blocks);
}
