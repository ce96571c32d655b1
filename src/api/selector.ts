/** Label selectors as fields of kinds, in the shape of meta/v1. */
import { Type } from 'typebox';

/** @param description what is selected */
export const LabelSelector = (description: string) =>
  Type.Object(
    {
      matchExpressions: Type.Optional(
        Type.Array(
          Type.Object({
            key: Type.String(),
            operator: Type.String({ description: 'In, NotIn, Exists or DoesNotExist.' }),
            values: Type.Optional(Type.Array(Type.String())),
          }),
        ),
      ),
      matchLabels: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { description, 'x-kubernetes-map-type': 'atomic' },
  );
