export { createTranslation, type Translation, type TranslationOptions } from "./translation.ts";
