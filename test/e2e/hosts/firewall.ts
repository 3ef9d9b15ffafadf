import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { firstVault } from '../../../config/node';
import { projectRoot } from '../../../operations/lib/project-root';
import type { Host, ThreeHosts } from './three-hosts';

export function describeFirewall(lab: () => ThreeHosts): void {
  describe('the firewall of docs/hosts.md', () => {
    test.each([
      {
        what: 'nftables',
        start: 'table inet ebs',
        run: ['nft', '-f'],
        undo: ['nft', 'delete', 'table', 'inet', 'ebs'],
      },
      {
        what: 'ufw',
        start: ':DOCKER-USER',
        run: ['iptables-restore', '--noflush'],
        undo: ['iptables', '--flush', 'DOCKER-USER'],
      },
    ])('$what: one that is not trusted reaches S3 alone', async ({ what, start, run, undo }) => {
      // GIVEN the rules as they are written, with the addresses and ports of these hosts
      const node = firstVault(lab().environment.loaded.environment);
      const portOf = ({ url }: { readonly url: string }): number => Number(new URL(url).port);
      const ports = { minio: portOf(node.minio), kes: portOf(node.kes), vault: portOf(node.vault) };
      const inner = [...Object.values(ports), 8201];
      const outer = lab().environment.loaded.environment.minio.port;
      const file = path.join(lab().environment.folder, what);
      writeFileSync(file, firewallRules(start, ports));
      for (const port of [...inner, outer]) expect([port, await reaches(3, 1, port)]).toEqual([port, true]);

      // WHEN
      await lab().hosts.run(1, [...run, file]);

      // THEN
      try {
        for (const port of inner) expect([port, await reaches(3, 1, port)]).toEqual([port, false]);
        for (const port of inner) expect([port, await reaches(2, 1, port)]).toEqual([port, true]);
        expect(await reaches(3, 1, outer)).toBe(true);
      } finally {
        await lab().hosts.run(1, undo);
      }
      await lab().untilCheckPasses();
    });

    /** A block of the page; host 2 is what it trusts. */
    function firewallRules(start: string, ports: Readonly<Record<'minio' | 'kes' | 'vault', number>>): string {
      const page = readFileSync(path.join(projectRoot, 'docs', 'hosts.md'), 'utf8');
      const block = page.split('```').find((part) => part.trimStart().startsWith(start)) ?? '';
      const rules = block
        .replace(/elements = \{[^}]+\}/, `elements = { ${lab().hosts.address(2)} }`)
        .replaceAll('192.0.2.0/28', `${lab().hosts.address(2)}/32`)
        .replaceAll('7373', `${ports.kes}`)
        // ports of a test are not neighbours
        .replace(/^(.*)8200:8201(.*)$/m, `$1${ports.vault}$2\n$18201$2`)
        .replaceAll('8200', `${ports.vault}`)
        .replaceAll('9010', `${ports.minio}`);
      return start.startsWith(':') ? `*filter\n${rules.trim()}\nCOMMIT\n` : rules;
    }

    async function reaches(from: Host, to: Host, port: number): Promise<boolean> {
      const open = path.join(lab().environment.folder, 'open.sh');
      writeFileSync(open, 'exec 3<>"/dev/tcp/$1/$2"\n');
      try {
        await lab().hosts.run(from, ['timeout', '2', 'bash', open, lab().hosts.address(to), `${port}`]);
        return true;
      } catch {
        return false;
      }
    }
  });
}
