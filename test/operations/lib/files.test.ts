import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { readIfExists, removeUnfinishedFiles, writeFileAtomically } from '../../../operations/lib/files';
import { compiled } from '../../helpers/compiled';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const modeOf = (file: string) => fs.statSync(file).mode & 0o777;

describe('writeFileAtomically', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('makes a file, and its folder, that nobody else can read', () => {
    // GIVEN
    const file = path.join(folder(), 'secrets', 'vault', 'root-token');

    // WHEN
    writeFileAtomically(file, 'secret');

    // THEN
    expect(fs.readFileSync(file, 'utf8')).toBe('secret');
    expect(modeOf(file)).toBe(0o600);
    expect(modeOf(path.dirname(file))).toBe(0o700);
    expect(modeOf(path.join(folder(), 'secrets'))).toBe(0o700);
  });

  test('gives a file that is not secret the mode that it asks for, whatever the umask', () => {
    // GIVEN
    const file = path.join(folder(), 'ca.crt');
    const umask = process.umask(0o077);

    // WHEN
    try {
      writeFileAtomically(file, Buffer.from([0, 255]), 0o644);
    } finally {
      process.umask(umask);
    }

    // THEN
    expect(modeOf(file)).toBe(0o644);
    expect(fs.readFileSync(file)).toEqual(Buffer.from([0, 255]));
  });

  test('replaces a file, and with it a mode that was too wide', () => {
    const file = path.join(folder(), 'token');
    fs.writeFileSync(file, 'old', { mode: 0o666 });

    writeFileAtomically(file, 'new');

    expect(fs.readFileSync(file, 'utf8')).toBe('new');
    expect(modeOf(file)).toBe(0o600);
  });

  test('writes the whole of a large file', () => {
    const content = Buffer.alloc(5_000_000, 'x');
    const file = path.join(folder(), 'large');

    writeFileAtomically(file, content);

    expect(fs.readFileSync(file).equals(content)).toBe(true);
  });

  test('leaves the old file, and nothing beside it, when the disk is full', () => {
    // GIVEN
    const file = path.join(folder(), 'token');
    fs.writeFileSync(file, 'old');
    jest.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    });

    // WHEN
    expect(() => {
      writeFileAtomically(file, 'new');
    }).toThrow('ENOSPC: no space left on device');

    // THEN
    expect(fs.readdirSync(folder())).toEqual(['token']);
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
  });

  test('leaves the old file when the process is killed before the new one is whole', () => {
    // GIVEN
    const secrets = path.join(folder(), 'secrets');
    fs.mkdirSync(secrets);
    const file = path.join(secrets, 'token');
    fs.writeFileSync(file, 'old');
    const source = compiled('operations/lib/files.ts', path.join(folder(), 'files.cjs'));
    const script = `
      const fs = require('node:fs');
      fs.fsyncSync = () => process.kill(process.pid, 'SIGKILL');
      require(${JSON.stringify(source)}).writeFileAtomically(${JSON.stringify(file)}, 'new');
    `;

    // WHEN
    const { signal } = spawnSync(process.execPath, ['--eval', script]);

    // THEN
    expect(signal).toBe('SIGKILL');
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    // what it left is not taken for the file, and nobody else can read it
    for (const name of fs.readdirSync(secrets)) {
      if (name !== 'token') expect(modeOf(path.join(secrets, name))).toBe(0o600);
    }
  });
});

describe('readIfExists', () => {
  test('is the text of a file', () => {
    fs.writeFileSync(path.join(folder(), 'a'), 'é');
    expect(readIfExists(path.join(folder(), 'a'))).toBe('é');
  });

  test('is nothing where there is none', () => {
    expect(readIfExists(path.join(folder(), 'none', 'a'))).toBeUndefined();
  });

  test('does not take what cannot be read for what is not there', () => {
    expect(() => readIfExists(folder())).toThrow(/EISDIR/);
  });
});

describe('removeUnfinishedFiles', () => {
  test('takes away what a killed writer left, at any depth, and nothing else', () => {
    // GIVEN
    const secrets = path.join(folder(), 'secrets');
    const left = path.join(secrets, 'vault', 'unseal-share-1.0123456789ab.tmp');
    const kept = ['vault/unseal-share-1', 'vault/notes.tmp', 'minio/root.json'].map((name) => path.join(secrets, name));
    for (const file of kept) writeFileAtomically(file, 'kept');
    fs.writeFileSync(left, 'secret');
    fs.symlinkSync(kept[0] ?? '', path.join(secrets, 'link.0123456789ab.tmp'));

    // WHEN
    const removed = removeUnfinishedFiles(secrets);

    // THEN
    expect(removed).toEqual([left]);
    expect(fs.existsSync(left)).toBe(false);
    for (const file of kept) expect(fs.readFileSync(file, 'utf8')).toBe('kept');
  });

  test('a folder that is not there yet holds nothing', () => {
    expect(removeUnfinishedFiles(path.join(folder(), 'absent'))).toEqual([]);
  });
});
