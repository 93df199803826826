"""What the language detector knows: scripts, function words and letters, chosen by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES: Mapping[str, str] = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nb": "Norwegian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
    "unknown": "unknown",
}
"""English names by ISO 639-1 code."""

SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x0041, 0x024F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x06FF, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0E00, 0x0E7F, "thai"),
    (0x1E00, 0x1EFF, "latin"),
    (0x1F00, 0x1FFF, "greek"),
    (0x3040, 0x30FF, "kana"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xAC00, 0xD7AF, "hangul"),
)
"""First and last code point of blocks, with the script that they belong to (Unicode, Blocks.txt)."""

LANGUAGE_OF_SCRIPT: Mapping[str, str] = {
    "greek": "el",
    "hangul": "ko",
    "han": "zh",
    "hebrew": "he",
    "kana": "ja",
    "thai": "th",
}
"""Scripts that one language of everyday use is written in."""

WORDS: Mapping[str, str] = {
    "en": "the of and to in is that it for you was with on as are be this have from or by not but what all "
    "were we when your can there which their will would if been has more who do my they his her she he "
    "i an at how does don't isn't it's i'm could should please thanks hello where why any some than then "
    "me our out about had did no yes these those into only other after also because before between",
    "de": "der die das und ist nicht ein eine einen einem einer zu den dem des mit von auf für im sich auch "
    "es an als bei wird werden sind oder wenn nach nur noch ich sie wir ihr du er haben hat kann können "
    "mein meine ihre ihren aus über wie was wo warum bitte danke kein keine mir mich uns dass durch zum zur "
    "sein war um vor bis hallo gibt schon aber diese dieser dieses muss soll wurde",
    "fr": "le la les de des du et est un une dans que qui pour pas ne sur avec au aux par il elle vous nous "
    "je ce cette ces sont ou plus votre vos mon ma mes son sa ses être avoir fait comme mais si tout où "
    "leur ont été peut aussi sans très quand bonjour merci s'il c'est n'est d'un d'une l'on qu'il j'ai "
    "pourquoi comment entre après avant chez quel quelle aucun aucune lors doit",
    "es": "el la los las de y que en un una es por con para no se del al lo como más pero su sus le ya o este "
    "esta esto ese esa está están son sin sobre también me mi mis yo usted nos hay ha han fue ser puede "
    "cuando donde dónde qué cómo gracias hola muy entre desde hasta si porque todo todos aquí hacer tiene "
    "ningún ninguna debe otro otra",
    "it": "il lo la gli le di e che è un una per non con del della dei delle nel nella sono si da in al alla "
    "come più ma anche questo questa questi io mi mio mia ho hai ha abbiamo essere può quando dove perché "
    "grazie ciao buongiorno se o ed era molto tra fra sul sulla dal dalla ai alle ci vi cosa ogni nessun "
    "nessuna quello stato deve dopo prima senza",
    "pt": "o a os as de e que em um uma é não por com para se do da dos das no na nos nas ao à como mais mas "
    "seu sua seus suas ele ela você eu meu minha está são foi ser tem pode quando onde muito também já "
    "isso este esta esse essa obrigado obrigada olá sem sobre até entre ou há pelo pela aos às nenhum nenhuma "
    "deve depois antes num numa porque",
    "nl": "de het een en van is niet dat in op te zijn met voor die aan er ook als bij door maar om of uit naar "
    "dan nog wel geen wordt worden kan kunnen heeft hebben ik je jij u wij ze mijn uw hun dit deze wat hoe "
    "waar waarom alstublieft bedankt hallo over tot al was meer moet zou heb zonder tussen werd iets niets "
    "wanneer onze omdat",
    "sv": "och att det är en ett som på för av med den till inte har i om jag vi du ni han hon kan ska var från "
    "eller men så när vad hur där min mitt din sin detta denna dessa också efter utan mellan mycket alla "
    "finns blir vara hade tack hej varför inga ingen något några skulle måste under över sig",
    "da": "og at det er en et som på for af med den til ikke har i om jeg vi du han hun kan skal var fra eller "
    "men så når hvad hvordan hvor min mit din sin dette denne disse også efter uden mellem meget alle "
    "findes bliver være havde tak hej hvorfor ingen noget nogle skulle under over sig blev kunne af ved de "
    "bruges kun mig dig hvis ind ned op nu her bliver mere andre jer os have må denne gøre får igen vores dag ud selv",
    "nb": "og å det er en et som på for av med den til ikke har i om jeg vi du han hun kan skal var fra eller "
    "men så når hva hvordan hvor min mitt din sin dette denne disse også etter uten mellom mye alle finnes "
    "blir være hadde takk hei hvorfor ingen noe noen skulle under over seg ble kunne ved de brukes bare meg "
    "deg må hvis inn ned opp nå her blir mer andre dere oss ha gjøre får igjen vår dag ut selv fram",
    "fi": "ja on ei se että oli en hän joka mutta niin kun myös tai jos kuin ovat minä sinä me te he mikä missä "
    "miten miksi tämä tämän nämä sen ole olen olla voi voit kiitos hei vain jo sitten ennen jälkeen ilman "
    "kanssa minun sinun ole eivät mitä joka jotka siitä siihen ollut pitää saa vielä",
    "pl": "i w na z do się nie jest to że o jak za po od ale co tak przez dla są czy być już ten ta te tego tej "
    "który która które jego jej ich ja ty my mnie mi mój moja gdzie dlaczego kiedy proszę dziękuję cześć "
    "tylko może można został była było bez pod nad lub oraz przed żadnych nie jeśli aby ze we jako",
    "cs": "a v na se je že s z do o to jako pro ve po za by jsem jsou ale i ten ta tento tato které který která "
    "jeho její jejich já ty my mě mi můj moje kde proč kdy prosím děkuji dobrý jen může byl byla bylo bez "
    "pod nad nebo před není být od při jak si také už podle tak k ke žádné pokud aby než co mezi nelze",
    "hu": "a az és hogy nem is egy van volt ez meg csak de ha már még mint vagy kell lehet én te ő mi ti ők "
    "ki hol miért mikor kérem köszönöm szia ezt azt ennek annak nincs minden után előtt nélkül között fel "
    "majd nagyon akkor most itt ott lesz lett mert sem pedig el hozzá által ilyen nekem szerint",
    "ro": "și şi de la în a cu pe nu este un o care să se din că pentru mai sunt fi ca sau dar au am ai are "
    "fost prin după când unde ce cum eu tu el ea noi voi mea meu mi vă te acest această aceste mulțumesc "
    "bună foarte fără între până dacă doar ale lui lor nici poate trebuie într-un într-o",
    "tr": "ve bir bu da de için ile ne var yok çok daha gibi olarak olan ben sen biz siz onlar ama en mi mı mu "
    "mü değil nasıl neden nerede zaman kadar sonra önce her şey ki veya ya bana benim sizin lütfen teşekkürler "
    "merhaba oldu olduğu olabilir ise sadece hiçbir tarafından şu diye içinde üzerinde",
    "vi": "và của là có không được cho các một những trong với người này đã để khi đến về như tôi bạn từ thì "
    "ra cũng làm nhưng rất vì sao nào đâu gì xin chào cảm ơn nếu hoặc tại bị phải sẽ đang còn việc hãy chỉ "
    "trên sau trước hơn mà nó chúng",
    "id": "yang dan di dari untuk dengan ini itu pada tidak adalah ke dalam akan saya anda kami kita mereka dia "
    "ada juga bisa dapat atau oleh sudah telah karena jika bagaimana apa mengapa kapan mana terima kasih "
    "halo lebih hanya sebagai seperti tersebut belum bukan harus agar setelah sebelum tanpa antara saat",
    "ca": "el la els les de i que en un una per amb no es del dels al als com més però són és ha han fou ser aquest "
    "aquesta això aquests quan on què gràcies hola molt entre des fins si perquè tot fer té cap pot s'ha l'hi "
    "d'un d'una també sense sobre vostre meu meva nosaltres s'està heu",
    "sk": "a v na sa je že s z do o to ako pre vo po za by som sú ale aj ten tá tento táto ktorý ktorá jeho jej ich "
    "ja ty my mňa mi môj moje kde prečo kedy prosím ďakujem dobrý len môže bol bola bolo bez pod nad alebo pred nie "
    "byť od pri tak tiež už podľa ak aby než čo medzi nemožno však sme keď",
    "hr": "i u na se je da s za do o to kao po od ali ne su ovaj ova ovo koji koja koje njegov njezin ja ti mi vi on "
    "gdje zašto kada molim hvala dobar samo može bio bila bilo bez pod nad ili prije nije biti pri kako također već "
    "ako nego što između iz moj moja sam smo jer treba bi ništa svi",
    "sl": "in v na se je da s z za do o to kot po od ali ne so ta ki ga jo jih jaz ti mi vi on kje zakaj kdaj prosim "
    "hvala dober samo lahko bil bila bilo brez pod nad pred ni biti pri kako tudi že če kaj med iz moj moja sem smo "
    "ker naj bi vse ter tega",
    "sr": "и у на се је да с за до о то као по од али не су овај ова ово који која које његов ја ти ми ви он где "
    "зашто када молим хвала само може био била било без под над или пре није бити при како такође већ ако него што "
    "између из мој моја сам смо јер треба би",
    "be": "і ў у не на што я з ён а як гэта па але да за то ўсё ад так жа для вы мы б быў была было быць яго яе іх мне "
    "мой калі або ужо толькі яшчэ пры дзе чаму ласка дзякуй ёсць няма можа які якая пасля без гэты ці вам",
    "af": "die en van is nie dit in op te wat met vir aan hy sy ek jy ons hulle het word kan sal moet maar om of uit na "
    "as by deur hierdie daardie my hoe waar waarom asseblief dankie hallo oor tot al was meer sonder tussen geen ook",
    "et": "ja ei on see et kui ka ning või oli olla mis kes kus miks kuidas ma mina sina tema meie teie nad selle seda "
    "aga ainult juba pärast enne ilma palun aitäh tere minu sinu kõik saab peab veel nii siis pole mitte",
    "lt": "ir yra ne kad tai į iš su ar bet kaip dėl nuo iki po per prie buvo būti aš tu jis ji mes jūs jie kas kur "
    "kodėl kada prašau ačiū labas tik gali dar jau jei arba šis ši kuris kuri be prieš tarp mano nėra",
    "lv": "un ir nav ka tas no ar bet kā par uz līdz pēc pie bija būt es tu viņš viņa mēs jūs viņi kas kur kāpēc kad "
    "lūdzu paldies sveiki tikai var vēl jau ja vai šis šī kurš kura bez pirms starp mans tiek lai šo nevar",
    "ru": "и в не на что я с он а как это по но к из у за то все от о так же для вы мы бы был была было быть "
    "его её их мне меня мой моя если или уже только ещё еще при когда где почему пожалуйста спасибо есть "
    "нет до может который которая во со после перед без между этот эта эти ли чем вам вас",
    "uk": "і в не на що я з він а як це по але до у за то все від о так же для ви ми б був була було бути його "
    "її їх мені мене мій моя якщо або вже тільки ще при коли де чому будь ласка дякую є немає може який яка "
    "яке після перед без між цей ця ці чи ніж вам вас й та під із зі",
    "bg": "и в не на че аз с той а как това по но към от у за то все са до или се да е ще съм сме вие ние бъде "
    "беше неговата ги ми мен моя ако вече само още при кога къде защо моля благодаря има няма може който "
    "която които след пред без между този тази тези ли си като със във",
    "ar": "في من على إلى عن أن إن هذا هذه ذلك التي الذي لا ما كان كانت هل أو ثم قد لم لن مع كل بعد قبل عند "
    "هو هي أنا نحن هم كيف لماذا متى أين شكرا مرحبا غير حتى إذا لكن بين يمكن يتم ليس أي",
    "fa": "در از به که این را با است برای آن یک تا بر هم می شد شود نیست من ما شما آنها چه چرا کجا چگونه اگر "
    "یا اما هر بعد قبل دیگر باید نمی کرد کردن خود پس بود نشد دارد لطفا ممنون سلام های",
    "hi": "के है में की को का से और यह एक नहीं पर हैं कि जो था थी थे हो कर तो भी या मैं हम आप वह मेरा मेरी क्या "
    "क्यों कहाँ कैसे कब कृपया धन्यवाद नमस्ते इस उस लिए साथ बाद पहले कोई ने अपने गया रहा करने किया",
}
"""Frequent function words by language; where languages share one, it counts less for each."""

LETTERS: Mapping[str, Mapping[str, str]] = {
    "latin": {
        "af": "êëéèôîïûáóú",
        "ca": "àçèéíïòóúü",
        "cs": "áčďéěíňóřšťúůýž",
        "da": "åæøé",
        "de": "äöüß",
        "en": "é",
        "es": "áéíñóúü",
        "et": "äõöüšž",
        "fi": "äöå",
        "fr": "àâæçéèêëîïôœùûü",
        "hr": "čćđšž",
        "hu": "áéíóöőúüű",
        "id": "é",
        "it": "àèéìíîòóùú",
        "lt": "ąčęėįšųūž",
        "lv": "āčēģīķļņšūž",
        "nb": "åæøéòóâô",
        "nl": "éëïóöüáèí",
        "pl": "ąćęłńóśźż",
        "pt": "áâãàçéêíóôõúü",
        "ro": "ăâîșțşţ",
        "sk": "áäčďéíĺľňóôŕšťúýž",
        "sl": "čšž",
        "sv": "åäöé",
        "tr": "çğıöşüâîû",
        "vi": "àáâãăạảấầẩẫậắằẳẵặđèéêẹẻẽếềểễệìíỉịĩòóôõơọỏốồổỗộớờởỡợùúưụủũứừửữựýỳỵỷỹ",
    },
    "cyrillic": {
        "be": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
        "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
        "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "sr": "абвгдђежзијклљмнњопрстћуфхцчџш",
        "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    },
    "arabic": {"ar": "ةيىكأإ", "fa": "پچژگکی"},
}
"""By script the letters beyond ASCII that the words of each language are written with; of the Arabic
script those in which the two languages differ."""

ENDINGS: Mapping[str, str] = {
    "en": "ing ould ight",
    "de": "ung ungen keit heit lich isch icht",
    "fr": "eux euse aient ement eur elle ité",
    "es": "ción ciones idad ando iendo",
    "it": "zione zioni ità mente ando endo etto",
    "pt": "ção ções dade ando endo agem",
    "nl": "ijk heid ijn aar elijk eerd",
    "sv": "ningen ningar arna orna igt",
    "da": "ningen hed erne eret else",
    "nb": "ningen het ene ert else",
    "fi": "ssa ssä sta stä lla llä lta ltä lle ksi iden aan een",
    "pl": "ego emu ych ami anie enie ość owy",
    "cs": "ého ému ých ení ání ost ová",
    "hu": "ban ben nak nek ság ség ott ett ból ből hoz hez",
    "ro": "ului ilor ție ții are ată esc",
    "tr": "lar ler ları leri dır dir yor acak ecek mış miş ması mesi",
    "id": "kan nya an",
    "ru": "ого его ться ется ость ение ания ами ыми",
    "uk": "ого ння ється ість ами ими ться",
    "bg": "ите ата ето ията ане ение ост",
}
"""Ends of words of 5 letters and more."""
