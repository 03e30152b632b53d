import markdown from "markdown-it";
import temml from "temml";

export default { markdown, temml };
