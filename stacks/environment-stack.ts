import { DockerProvider } from '@cdktf/provider-docker/lib/provider';
import { LocalBackend, S3Backend, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import { type Deployment, namesOf } from './deployment';

/** A stack of one environment: named after both, with a state of its own. */
export abstract class EnvironmentStack extends TerraformStack {
  protected readonly deployment: Deployment;
  protected readonly names: ReturnType<typeof namesOf>;

  constructor(scope: Construct, name: string, deployment: Deployment) {
    const { environment, state } = deployment;
    const id = `${environment.name}-${name}`;
    super(scope, id);
    this.deployment = deployment;
    this.names = namesOf(environment);
    if (environment.state.backend === 's3') {
      const { bucket, keyPrefix, region, endpoint } = environment.state;
      new S3Backend(this, {
        bucket,
        key: `${keyPrefix}/${environment.name}/${name}.tfstate`,
        region,
        encrypt: true,
        ...(endpoint === undefined ? {} : { endpoints: { s3: endpoint }, usePathStyle: true }),
      });
      // younger than the class
      this.addOverride('terraform.backend.s3.use_lockfile', true);
    } else {
      new LocalBackend(this, { path: `${state.terraform}/${name}.tfstate` });
    }
    // terraform_data and plantimestamp()
    this.addOverride('terraform.required_version', '>= 1.5');
  }

  /** The Docker provider, at the version that the toolchain found. */
  protected useDocker(): void {
    const { host } = this.deployment.environment.docker;
    new DockerProvider(this, 'docker', host === undefined ? {} : { host });
    this.addOverride('terraform.required_providers.docker.version', this.deployment.toolchain.providers.docker);
  }
}
