/**
 * A Vault, or an OpenBao, that is not of the deployment: a program that was built here, started by the test, with TLS by a
 * CA of its own, storage in memory, and an audit log that says who did what.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { buildProgram } from '../../../../operations/toolchain/go/go-build';
import { openbao, vault } from '../../../../operations/toolchain/go/programs';
import { VaultClient } from '../../../../operations/vault/vault-client';
import { waitFor } from '../../../../operations/lib/wait';
import { ThrowawayCa } from '../../certificates';
import { bridgeAddress } from '../bridge-address';
import { endServer } from '../command';
import type { TestEnvironment } from '../test-environment';
import { testPorts } from '../test-ports';
import type { Secret } from '../../../../operations/lib/secret';

const created = z.object({ auth: z.object({ client_token: z.string() }) });
const auditEntry = z.object({
  type: z.string(),
  auth: z.object({ policies: z.array(z.string()).optional() }).optional(),
  request: z.object({ operation: z.string(), path: z.string() }),
  error: z.string().optional(),
});

const DISTRIBUTIONS = {
  Vault: { program: vault, settings: {} },
  // else it takes audit devices from its configuration file alone (openbao 2.4.0, command/server/config.go)
  OpenBao: { program: openbao, settings: { unsafe_allow_api_audit_creation: true } },
} as const;

interface Place {
  /** @default 'Vault' */
  readonly distribution?: keyof typeof DISTRIBUTIONS;
  /** @default - beside the files of the clients, so that the search for secrets leaves it out */
  readonly folder?: string;
  /** @default - that of Docker's bridge, which both this machine and the containers of every network reach */
  readonly address?: string;
}

export class ExternalVaultServer {
  readonly url: string;
  readonly caFile: string;
  readonly root: VaultClient;
  private readonly unsealShare: Secret;
  private readonly auditLog: string;
  private readonly server: ChildProcess;

  private constructor(
    fields: Pick<ExternalVaultServer, 'url' | 'caFile' | 'root'>,
    secret: { share: Secret },
    server: ChildProcess,
    auditLog: string,
  ) {
    this.url = fields.url;
    this.caFile = fields.caFile;
    this.root = fields.root;
    this.unsealShare = secret.share;
    this.server = server;
    this.auditLog = auditLog;
  }

  static async start(environment: TestEnvironment, place: Place = {}): Promise<ExternalVaultServer> {
    const { distribution = 'Vault', folder = environment.folderFor('external-vault') } = place;
    const { program, settings } = DISTRIBUTIONS[distribution];
    const file = await buildProgram(cacheLayout(), program);
    const address = place.address ?? (await bridgeAddress(environment.docker));
    const [port = 0, cluster = 0] = await testPorts(2, address);
    const ca = await ThrowawayCa.create(folder, 'external-vault-ca');
    const { certificateFile, privateKeyFile } = await ca.issue('external-vault', address);
    const url = `https://${address}:${port}`;
    const configuration = path.join(folder, 'vault.json');
    writeFileSync(
      configuration,
      JSON.stringify({
        ...settings,
        disable_mlock: true,
        api_addr: url,
        cluster_addr: `https://${address}:${cluster}`,
        storage: { inmem: {} },
        listener: {
          tcp: { address: `${address}:${port}`, tls_cert_file: certificateFile, tls_key_file: privateKeyFile },
        },
      }),
    );
    const log = openSync(path.join(folder, 'vault.log'), 'w');
    const server = spawn(file, ['server', `-config=${configuration}`], { stdio: ['ignore', log, log] });
    const anonymous = new VaultClient({ url, caFile: ca.file });
    await waitFor({ what: `the Vault of the test at ${url}`, timeoutMs: 180_000 }, () => anonymous.sealStatus());
    const { shares, rootToken } = await anonymous.initialize(1, 1);
    const [share] = shares;
    if (share === undefined) throw new Error('the Vault of the test has no unseal share');
    await anonymous.unseal(share);
    const root = anonymous.withToken(rootToken);
    await waitFor({ what: 'the Vault of the test to be active', timeoutMs: 180_000 }, () => root.read('sys/mounts'));
    const auditLog = path.join(folder, 'audit.log');
    await root.write('sys/audit/file', { type: 'file', options: { file_path: auditLog } });
    anonymous.close();
    return new ExternalVaultServer({ url, caFile: ca.file, root }, { share }, server, auditLog);
  }

  /**
   * A token with exactly this policy: not even Vault's own `default`.
   *
   * @param kind how it lasts. Default: two hours, again and again
   */
  async tokenWith(name: string, policy: string, kind: Record<string, unknown> = { period: '2h' }): Promise<string> {
    await this.root.write(`sys/policies/acl/${name}`, { policy });
    const { auth } = created.parse(
      await this.root.write('auth/token/create-orphan', { policies: [name], no_default_policy: true, ...kind }),
    );
    return auth.client_token;
  }

  async seal(): Promise<void> {
    await this.root.write('sys/seal');
  }

  async unseal(): Promise<void> {
    await this.root.unseal(this.unsealShare);
    await waitFor({ what: 'the Vault of the test to be active', timeoutMs: 180_000 }, () =>
      this.root.read('sys/mounts'),
    );
  }

  /** What tokens of a policy asked for, as `operation path`, each once; what was refused is not among it. */
  used(policy: string): Set<string> {
    const lines = readFileSync(this.auditLog, 'utf8').trimEnd().split('\n');
    const entries = lines.map((line) => auditEntry.parse(JSON.parse(line)));
    return new Set(
      entries
        .filter(
          ({ type, auth, error }) => type === 'response' && error === undefined && auth?.policies?.includes(policy),
        )
        .map(({ request }) => `${request.operation} ${request.path.replace(/\/$/, '')}`),
    );
  }

  async stop(): Promise<void> {
    this.root.close();
    await endServer(this.server);
  }
}
