export * from './data-volume';
export * from './file-volume';
export * from './forgotten';
export * from './image';
export * from './labels';
export * from './network';
export * from './service-container';
