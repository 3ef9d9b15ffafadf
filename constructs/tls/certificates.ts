import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { certificateRenewalNote } from '../../config/certificates/leaf-certificates';
import type { CertificateFiles, LeafCertificate } from '../../config/operation-inputs';
import { dnsName } from '../../config/names';
import { DeclarationError } from '../declaration-error';
import { Operation, type OperationRunner } from '../operation';

export interface CertificatesProps {
  readonly runner: OperationRunner;
  readonly environment: string;
  /** Folder for `ca.crt`, `<leaf>.crt` and the note about renewal. */
  readonly certificateFolder: string;
  /** Folder for `ca.key` and `<leaf>.key`. */
  readonly privateKeyFolder: string;
  /** Life of a leaf certificate. */
  readonly validityDays: number;
  readonly leaves: readonly LeafCertificate[];
  /** @default - nothing is waited for */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * A private CA and the certificates that it issues.
 *
 * An apply makes what is missing, also what somebody removed, and renews what has less than a third of its life left; a renewed certificate keeps
 * its key, because the identity of a KES client is a hash of it.
 */
export class Certificates extends Construct {
  /** Certificate of the CA. */
  readonly ca: string;
  private readonly operation: Operation<'issue-certificates'>;
  private readonly names: ReadonlySet<string>;
  private readonly props: CertificatesProps;

  constructor(scope: Construct, id: string, props: CertificatesProps) {
    super(scope, id);
    const names = props.leaves.map(({ name }) => name);
    names.forEach((name, index) => {
      if (name === 'ca' || !/^[a-z][a-z0-9-]*$/.test(name)) {
        throw new DeclarationError(this, `\`leaves.name\` must be a file name other than ca, got: ${name}`);
      }
      if (names.indexOf(name) !== index) {
        throw new DeclarationError(this, `\`leaves.name\` must be unique, got: ${name} twice`);
      }
    });
    for (const { name, usage, dnsNames, ipAddresses } of props.leaves) {
      for (const dns of dnsNames) {
        if (!dnsName.test(dns)) throw new DeclarationError(this, `\`leaves.dnsNames\` ${dnsName.rule}, got: ${dns}`);
      }
      if (usage === 'server' && dnsNames.length + ipAddresses.length === 0) {
        throw new DeclarationError(this, `\`leaves\` must give a server a name or address, got: none for ${name}`);
      }
    }

    this.props = props;
    this.names = new Set(names);
    this.ca = `${props.certificateFolder}/ca.crt`;
    const renewalNote = certificateRenewalNote(props.certificateFolder);
    this.operation = new Operation(this, 'Issue', {
      runner: props.runner,
      operation: 'issue-certificates',
      input: {
        environment: props.environment,
        certificateFolder: props.certificateFolder,
        privateKeyFolder: props.privateKeyFolder,
        validityDays: props.validityDays,
        leaves: [...props.leaves],
        renewalNote,
      },
      renewal: { note: renewalNote, makes: props.leaves.flatMap(({ name }) => Object.values(this.leaf(name))) },
      ...(props.dependsOn === undefined ? {} : { dependsOn: props.dependsOn }),
    });
  }

  /** The files of one leaf. */
  leaf(name: string): CertificateFiles {
    if (!this.names.has(name)) throw new DeclarationError(this, `\`leaf\` must be one of the leaves, got: ${name}`);
    return {
      certificate: `${this.props.certificateFolder}/${name}.crt`,
      privateKey: `${this.props.privateKeyFolder}/${name}.key`,
    };
  }

  /** For the `dependsOn` of what needs the files. */
  get dependable(): ITerraformDependable {
    return this.operation.dependable;
  }
}
