import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { certificateIssue, hasVaultClients, vaultClientIssue } from '../../config/state/certificate-files';
import { vaultClientFiles } from '../../config/state/endpoints';
import type { CertificateFiles } from '../../config/operation-inputs';
import { type Node, SERVERS } from '../../config/node';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';

export interface CertificatesProps {
  readonly deployment: DeploymentBase;
  /** @default - nothing is waited for */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/** A certificate of the private CA, which also issues those of the clients that its server deals with. */
export interface IssuedCertificate extends CertificateFiles {
  readonly issuer: Certificates;
}

/**
 * A private CA and the certificates that it issues.
 *
 * An apply makes what is missing, also what was removed, and renews what has less than a third of its life left; a renewed certificate keeps
 * its key, because the identity of a KES client is a hash of it.
 */
export class Certificates extends Construct {
  /** Certificate of the CA. */
  readonly ca: string;
  private readonly deployment: DeploymentBase;
  private readonly operation: Operation<'issue-certificates'>;
  private readonly files: ReadonlyMap<string, CertificateFiles>;

  constructor(scope: Construct, id: string, { deployment, dependsOn }: CertificatesProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    this.deployment = deployment;
    this.ca = state.caCertificate;
    const input = certificateIssue(environment, state);
    this.files = new Map(
      input.leaves.map(({ name }) => [
        name,
        { certificate: `${input.certificateFolder}/${name}.crt`, privateKey: `${input.privateKeyFolder}/${name}.key` },
      ]),
    );
    const makes = [...this.files.values()].flatMap(({ certificate, privateKey }) => [certificate, privateKey]);
    this.operation = new Operation(this, 'Issue', {
      runner,
      operation: 'issue-certificates',
      input,
      renewal: { note: input.renewalNote, makes },
      ...(dependsOn === undefined ? {} : { dependsOn }),
    });
    for (const file of [this.ca, ...makes]) deployment.made(this, file, this.operation.runId);
    if (hasVaultClients(environment)) this.issueVaultClients();
  }

  /** The certificate of a server. */
  issue(server: keyof typeof SERVERS, node: Node = this.deployment.node): IssuedCertificate {
    const { certificate } = node[server] ?? SERVERS[server];
    return { ...this.leaf(certificate), issuer: this };
  }

  /** The files of one certificate, by the name of what it is for. */
  leaf(name: string): CertificateFiles {
    const files = this.files.get(name);
    if (files === undefined) {
      throw new DeclarationError(
        this,
        `\`name\` must be one of ${[...this.files.keys()].join(', ')}, got: ${name}`,
        'the settings of the deployment say which servers and clients there are',
      );
    }
    return files;
  }

  /** For the `dependsOn` of what needs the files. */
  get dependable(): ITerraformDependable {
    return this.operation.dependable;
  }

  private issueVaultClients(): void {
    const { environment, runner, state } = this.deployment;
    const input = vaultClientIssue(environment, state);
    const files = input.leaves.map(({ name }) => vaultClientFiles(state, name));
    new Operation(this, 'VaultClients', {
      runner,
      operation: 'issue-certificates',
      input,
      renewal: {
        note: input.renewalNote,
        makes: files.flatMap(({ certificate, privateKey }) => [certificate, privateKey]),
      },
      // both mark the environment as deployed
      dependsOn: [this.operation.dependable],
    });
  }
}
