import { DockerProvider } from '@cdktf/provider-docker/lib/provider';
import { LocalBackend, S3Backend, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { SSH_OPTIONS } from '../config/docker/docker-engine';
import { type Node, nodesOf } from '../config/node';
import { literal } from '../constructs/expressions';
import type { Deployment } from './deployment';

/** Registries with the file that Terraform reads their logins from; the logins themselves are nowhere. */
export type RegistryLogins = readonly { readonly address: string; readonly configFile: string }[];

/** A stack of one environment: named after both, with a state of its own. */
export abstract class EnvironmentStack extends TerraformStack {
  protected readonly deployment: Deployment;
  protected readonly host: Node;

  constructor(scope: Construct, name: string, deployment: Deployment) {
    const { environment, state } = deployment;
    const id = `${environment.name}-${name}`;
    super(scope, id);
    this.deployment = deployment;
    [this.host] = nodesOf(environment);
    if (environment.state.backend === 's3') {
      const { bucket, keyPrefix, region, endpoint } = environment.state;
      new S3Backend(this, {
        bucket,
        key: `${keyPrefix}/${environment.name}/${name}.tfstate`,
        region,
        encrypt: true,
        ...(endpoint === undefined
          ? {}
          : {
              endpoints: { s3: endpoint },
              usePathStyle: true,
              // what only Amazon's own service answers
              skipCredentialsValidation: true,
              skipMetadataApiCheck: true,
              skipRegionValidation: true,
              skipRequestingAccountId: true,
              skipS3Checksum: true,
            }),
      });
      // younger than the class
      this.addOverride('terraform.backend.s3.use_lockfile', true);
    } else {
      new LocalBackend(this, { path: literal(`${state.terraform}/${name}.tfstate`) });
    }
    // for toolchain/terraform/bin/terraform; to Terraform it is a comment
    this.addOverride('//.lock', state.lock);
    // terraform_data and plantimestamp(); lock files in S3 are younger
    this.addOverride('terraform.required_version', environment.state.backend === 's3' ? '>= 1.10' : '>= 1.5');
  }

  /**
   * The Docker provider, at the version that the toolchain found.
   *
   * @param logins of the registries from which this stack pulls. Default: none
   */
  protected useDocker(logins: RegistryLogins = []): void {
    const { host, transport, certPath } = this.deployment.engine;
    new DockerProvider(this, 'docker', {
      host,
      ...(certPath === undefined ? {} : { certPath: literal(certPath) }),
      ...(transport === 'ssh' ? { sshOpts: [...SSH_OPTIONS] } : {}),
      ...(logins.length === 0
        ? {}
        : { registryAuth: logins.map(({ address, configFile }) => ({ address, configFile: literal(configFile) })) }),
    });
    this.addOverride('terraform.required_providers.docker.version', this.deployment.toolchain.providers.docker);
  }
}
