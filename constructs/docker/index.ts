export * from './data-volume';
export * from './file-volume';
export * from './image';
export * from './labels';
export * from './network';
export * from './service-container';
