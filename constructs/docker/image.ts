import { Image as DockerImage } from '@cdktf/provider-docker/lib/image';
import { Construct } from 'constructs';
import { imageReference, type Program } from '../../config/docker/image-source';
import type { DeploymentBase } from '../deployment';
import { literal } from '../expressions';

export interface ImageProps {
  readonly deployment: DeploymentBase;
  /** The program that is in it. */
  readonly program: Program;
}

/** An image on the Docker host, built or pulled. It stays there when the stack is destroyed: it is a cache. */
export class Image extends Construct {
  readonly reference: string;

  constructor(scope: Construct, id: string, { deployment, program }: ImageProps) {
    super(scope, id);
    const source = deployment.imageSource(program);
    this.reference = imageReference(source);
    const resource = new DockerImage(this, 'Resource', {
      name: this.reference,
      keepLocally: true,
      ...(source.kind === 'build'
        ? { buildAttribute: { context: literal(source.context) }, triggers: { content: source.hash } }
        : {}),
    });
    if (source.kind === 'build') {
      // BuildKit needs the buildx plug-in, which a plain engine does not bring
      resource.addOverride('build.use_legacy_builder', true);
    }
    deployment.made(this, this.reference, resource.name);
  }
}
