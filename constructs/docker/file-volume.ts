import { Container } from '@cdktf/provider-docker/lib/container';
import { Volume } from '@cdktf/provider-docker/lib/volume';
import type { ITerraformDependable } from 'cdktf';
import { createHash } from 'node:crypto';
import { Construct } from 'constructs';
import { loaderOf } from '../../config/node';
import { SERVICE_UID } from '../../config/docker/service-user';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';
import { literal } from '../expressions';
import { environmentLabels } from './labels';

/** Where the content of a file comes from. */
export type VolumeFile = {
  /** Path inside the volume, without a leading slash. */
  readonly path: string;
} & (
  | {
      /** Absolute path on the machine that deploys. Terraform's state holds the path and a hash, never the content. */
      readonly source: string;
      /**
       * Changes when the content does.
       *
       * @default - see {@link DeploymentBase.fileVersion}
       */
      readonly version?: string;
    }
  | {
      /** The content itself. It is in the synthesized JSON and in the state: never a secret. */
      readonly content: string;
    }
);

export interface FileVolumeProps {
  readonly deployment: DeploymentBase;
  /** Name of the volume. */
  readonly name: string;
  /** Any image of the Docker host; the container made from it is never started. */
  readonly image: string;
  readonly files: readonly VolumeFile[];
  /** @default - files are delivered at once */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * Files in a Docker volume, readable by the service user alone (0400), and so neither in an image nor in the state.
 *
 * A container that is never started mounts the volume and carries the files into it, which also works with a remote
 * Docker host. A changed file replaces only that container: the file is rewritten under the running program, which
 * can then read it again.
 */
export class FileVolume extends Construct {
  readonly name: string;
  /** For each file a value that changes when its content does: triggers for what must read the files again. */
  readonly versions: Readonly<Record<string, string>>;
  private readonly loader: Container;

  constructor(scope: Construct, id: string, props: FileVolumeProps) {
    super(scope, id);
    const paths = new Set<string>();
    for (const { path } of props.files) {
      if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
        throw new DeclarationError(this, `\`files.path\` must be a path inside the volume, got: ${path}`);
      }
      if (paths.has(path)) throw new DeclarationError(this, `\`files.path\` must be unique, got: ${path} twice`);
      paths.add(path);
    }

    this.name = props.name;
    const versionOf = (file: VolumeFile): string => {
      if ('content' in file) return createHash('sha256').update(file.content).digest('hex');
      return file.version ?? props.deployment.fileVersion(this, file.source);
    };
    const volume = new Volume(this, 'Volume', { name: props.name, labels: environmentLabels(props.deployment) });
    this.loader = new Container(this, 'Loader', {
      name: loaderOf(props.name),
      image: props.image,
      // never run; an image need not name a program of its own
      command: ['true'],
      start: false,
      mustRun: false,
      networkMode: 'none',
      labels: environmentLabels(props.deployment),
      volumes: [{ volumeName: volume.name, containerPath: MOUNT }],
      ...(props.dependsOn === undefined ? {} : { dependsOn: [...props.dependsOn] }),
    });
    // owner and group are attributes of provider 4.6 that the generated class does not know
    this.loader.addOverride(
      'upload',
      props.files.map((file) => ({
        file: `${MOUNT}/${file.path}`,
        permissions: '0400',
        owner: String(SERVICE_UID),
        group: String(SERVICE_UID),
        ...('content' in file
          ? { content: file.content }
          : { source: literal(file.source), source_hash: versionOf(file) }),
      })),
    );
    this.versions = Object.fromEntries(props.files.map((file) => [file.path, versionOf(file)]));
  }

  /** Changes when the content of that file does. */
  versionOf(path: string): string {
    const version = this.versions[path];
    if (version === undefined) throw new DeclarationError(this, `\`path\` must be one of the files, got: ${path}`);
    return version;
  }

  /** For the `dependsOn` of what reads the files. */
  get dependable(): ITerraformDependable {
    return this.loader;
  }
}

const MOUNT = '/files';
