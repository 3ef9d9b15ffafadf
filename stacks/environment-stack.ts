import { LocalBackend, S3Backend, TerraformStack } from 'cdktf';
import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { literal } from '../constructs/expressions';

/** A stack of one environment: named after both, with a state of its own. */
export abstract class EnvironmentStack extends TerraformStack {
  constructor(scope: Construct, name: string, deployment: DeploymentBase) {
    const { environment, state } = deployment;
    const id = `${environment.name}-${name}`;
    super(scope, id);
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
    const { host } = deployment.node;
    if (host !== undefined && name.endsWith(`-${host.name}`)) this.addOverride('//.host', host.name);
    // terraform_data and plantimestamp(); lock files in S3 are younger
    this.addOverride('terraform.required_version', environment.state.backend === 's3' ? '>= 1.10' : '>= 1.5');
  }
}
