/** The audit log is put aside, and nothing that Vault wrote is lost. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { type AuditedVault, rotate } from '../../../operations/vault/rotate-audit-log';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const NOW = new Date('2026-01-31T01:02:03.456Z');

/** A Vault that keeps its log open, and opens it again by SIGHUP. */
class FakeVault implements AuditedVault {
  readonly name = 'ebs-test-vault';
  readonly root = path.join(folder(), 'audit');
  private descriptor = 0;
  private readonly opensAgain: boolean;

  constructor(opensAgain = true) {
    this.opensAgain = opensAgain;
    mkdirSync(this.root);
    this.open();
  }

  write(line: string): void {
    writeSync(this.descriptor, `${line}\n`);
  }

  readonly shell = async (script: string) => {
    const own = script.replaceAll('/vault/audit', this.root);
    const { status, stdout } = spawnSync('sh', ['-c', own], { encoding: 'utf8' });
    return Promise.resolve({ code: status ?? 1, output: stdout });
  };

  readonly openAgain = async (): Promise<void> => {
    // written between the renaming and the signal
    this.write('meanwhile');
    if (this.opensAgain) {
      closeSync(this.descriptor);
      this.open();
    }
    return Promise.resolve();
  };

  read(file: string): string {
    return readFileSync(path.join(this.root, file), 'utf8');
  }

  files(): string[] {
    return readdirSync(this.root).sort();
  }

  private open(): void {
    this.descriptor = openSync(path.join(this.root, 'audit.log'), 'a');
  }
}

const rotated = async (vault: FakeVault, { bytes = 0, keep = 3 } = {}) =>
  rotate(vault, { bytes, keep, now: NOW, withinMs: 500 });

test('every line is in one of the two files', async () => {
  const vault = new FakeVault();
  vault.write('before');
  expect(await rotated(vault)).toEqual({
    container: 'ebs-test-vault',
    putAside: 'audit-20260131T010203Z.log',
    removed: [],
  });
  vault.write('after');
  expect(vault.read('audit-20260131T010203Z.log')).toBe('before\nmeanwhile\n');
  expect(vault.read('audit.log')).toBe('after\n');
});

test('a log that is not long enough stays', async () => {
  const vault = new FakeVault();
  vault.write('short');
  expect(await rotated(vault, { bytes: 1024 })).toEqual({ container: 'ebs-test-vault', removed: [] });
  expect(vault.files()).toEqual(['audit.log']);
});

test('the oldest go, and no file of another name', async () => {
  const vault = new FakeVault();
  const days = ['01', '02', '03', '04'].map((day) => `audit-202601${day}T010203Z.log`);
  for (const file of [...days, 'audit-mine.log']) writeFileSync(path.join(vault.root, file), '');
  expect((await rotated(vault)).removed).toEqual(days.slice(0, 2));
  expect(vault.files()).toEqual(['audit-20260131T010203Z.log', ...days.slice(2), 'audit-mine.log', 'audit.log'].sort());
});

test('a rotation that was killed before Vault was told is ended by the next one', async () => {
  const vault = new FakeVault();
  vault.write('before');
  execFileSync('mv', [path.join(vault.root, 'audit.log'), path.join(vault.root, 'audit-20260130T010203Z.log')]);
  expect(await rotated(vault)).toEqual({ container: 'ebs-test-vault', removed: [] });
  vault.write('after');
  expect(vault.read('audit-20260130T010203Z.log')).toBe('before\nmeanwhile\n');
  expect(vault.read('audit.log')).toBe('after\n');
});

test('where Vault does not begin a new one, the old one is back in its place', async () => {
  const vault = new FakeVault(false);
  vault.write('before');
  const error = await rejectionOf(rotated(vault));
  expect(error.message).toContain('waited 1 s for Vault in ebs-test-vault to begin a new audit log');
  vault.write('after');
  expect(vault.files()).toEqual(['audit.log']);
  expect(vault.read('audit.log')).toBe('before\nmeanwhile\nafter\n');
});
