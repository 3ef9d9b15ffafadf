import { Image as DockerImage } from '@cdktf/provider-docker/lib/image';
import { Construct } from 'constructs';
import { literal } from '../expressions';

/** Where an image comes from. */
export type ImageSource =
  | {
      /** Build from a folder that holds a Dockerfile. */
      readonly kind: 'build';
      /** Repository part of the image's name. */
      readonly repository: string;
      /** Absolute path of the build context. */
      readonly context: string;
      /** SHA-256 over the context; becomes the tag, so that other content is another image. */
      readonly hash: string;
    }
  | {
      readonly kind: 'registry';
      /** A reference with a digest. */
      readonly reference: string;
    };

export interface ImageProps {
  readonly source: ImageSource;
}

/** The name by which a container asks for an image. It needs no look-up, so other stacks can use it. */
export function imageReference(source: ImageSource): string {
  return source.kind === 'registry' ? source.reference : `${source.repository}:${source.hash.slice(0, 16)}`;
}

/** An image on the Docker host, built or pulled. It stays there when the stack is destroyed: it is a cache. */
export class Image extends Construct {
  readonly reference: string;

  constructor(scope: Construct, id: string, props: ImageProps) {
    super(scope, id);
    const { source } = props;
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
  }
}
