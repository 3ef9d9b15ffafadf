import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { readCredentials, type S3Credentials } from '../../../operations/minio/s3-client';
import { restic } from '../../helpers/e2e/clients/clients';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';
import type { Host, ThreeHosts } from './three-hosts';

/** restic that makes one snapshot after the other, by the balancer of one host. */
export class ResticBeside {
  private readonly tree: string;
  private readonly at: { readonly s3Url: string; readonly credentials: S3Credentials };
  private ending = false;
  private snapshots: Promise<number> = Promise.resolve(0);
  private readonly environment: TestEnvironment;

  constructor({ environment, hosts }: ThreeHosts, host: Host) {
    this.environment = environment;
    this.tree = environment.folderFor('tree');
    const { environment: settled, state } = environment.loaded;
    this.at = {
      s3Url: `https://${hosts.address(host)}:${settled.minio.port}`,
      credentials: readCredentials(state.secret.minioObjects),
    };
  }

  async begin(): Promise<void> {
    await this.run('init');
    this.snapshots = this.write();
    this.snapshots.catch(() => undefined);
  }

  /** @returns how many snapshots were made, each of which is whole */
  async end(): Promise<number> {
    this.ending = true;
    const made = await this.snapshots;
    // restic may not have got to take away the lock that it held when the host went: one of a process that is gone is stale
    await this.run('unlock');
    await this.run('check', '--read-data');
    const kept = JSON.parse(await this.run('snapshots', '--json')) as readonly unknown[];
    expect(kept).toHaveLength(made);
    return made;
  }

  private async write(): Promise<number> {
    let made = 0;
    for (; !this.ending; made++) {
      writeFileSync(path.join(this.tree, `${made}`), randomBytes(4 * 1024 * 1024));
      await this.run('backup', '.');
    }
    return made;
  }

  private async run(...args: readonly string[]): Promise<string> {
    return restic(this.environment, 'backup', args, this.tree, this.at);
  }
}
