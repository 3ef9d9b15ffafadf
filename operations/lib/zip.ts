import { crc32, inflateRawSync } from 'node:zlib';

/** More than one file of MinIO's settings has. */
const MOST_FILE_BYTES = 64 * 1024 * 1024;

/** The files of a ZIP archive by their names (APPNOTE 4.3.7, 4.3.12, 4.3.16); each is unpacked when it is called. */
export function filesInZip(archive: Buffer): Map<string, () => Buffer> {
  const files = new Map<string, () => Buffer>();
  let at = archive.length - 22;
  while (at >= 0 && archive.readUInt32LE(at) !== 0x06054b50) at -= 1;
  if (at < 0) throw new Error('not a ZIP archive: it has no central directory');
  let count = archive.readUInt16LE(at + 10);
  for (let entry = archive.readUInt32LE(at + 16); count > 0; count -= 1) {
    const [method, name, extra, comment] = [10, 28, 30, 32].map((offset) => archive.readUInt16LE(entry + offset)) as [
      number,
      number,
      number,
      number,
    ];
    const packed = archive.readUInt32LE(entry + 20);
    const local = archive.readUInt32LE(entry + 42);
    files.set(archive.toString('utf8', entry + 46, entry + 46 + name), () => {
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
      const content = archive.subarray(start, start + packed);
      return method === 0 ? content : inflateRawSync(content, { maxOutputLength: MOST_FILE_BYTES });
    });
    entry += 46 + name + extra + comment;
  }
  return files;
}

/** A ZIP archive of texts, uncompressed (APPNOTE 4.3.7, 4.3.12, 4.3.16). */
export function zipOf(files: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [file, text] of Object.entries(files)) {
    const name = Buffer.from(file);
    const content = Buffer.from(text);
    const common = Buffer.alloc(26);
    // version 2.0; names in UTF-8
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(at, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, 20, 0]), common, rest, name);
    parts.push(Buffer.from([0x50, 0x4b, 3, 4]), common, name, content);
    at += 4 + common.length + name.length + content.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, list, end]);
}
