import sourcesAndEntities from './0001-sources-and-entities.ts'
import samples from './0002-samples.ts'
import search from './0003-search.ts'

/** The inventory's schema, oldest change first. */
export const inventoryMigrations = [sourcesAndEntities, samples, search]
