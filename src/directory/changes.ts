/**
 * The one feed that everything live hangs on. `revision` rises with every commit of the store. The LRU evicts on it,
 * parked requests are re-decided on it.
 */
export type Change =
  | {
      readonly kind: 'device'
      readonly revision: number
      readonly user: string
      /** Folded device id, see `deviceKey`. */
      readonly deviceKey: string
    }
  | {
      readonly kind: 'user'
      readonly revision: number
      readonly user: string
      /** Every name of the user before and after the change, lower case. */
      readonly names: readonly string[]
    }
  | {
      readonly kind: 'override'
      readonly revision: number
      /** On whom it bears: the name that it stands under, or a user who has that name. */
      readonly user: string
      readonly deviceKey: string
    }
  | { readonly kind: 'policy'; readonly revision: number }
  | {
      /** What the sources as a whole have told. */
      readonly kind: 'sources'
      readonly revision: number
      readonly complete: boolean
      /** See `Facts`. */
      readonly unreadGroups: readonly string[]
    }
